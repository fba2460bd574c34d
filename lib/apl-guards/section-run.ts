import type { Attributes } from '../apl/attributes.js';
import type { RuleDecision, Taint } from '../apl/decision.js';
import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';
import { PERSIST_FAILED, toViolation } from '../denial/violations.js';
import { labelsIn } from '../labels/label-set.js';
import type { Refusal } from '../middleware/response-reviews.js';
import { type MaybePromise, whenSettled } from '../util/maybe-promise.js';
import { boundTo } from './bound-engines.js';
import type { GuardedRequest } from './guarded-request.js';
import type { McpCall } from './mcp-call.js';
import { argsOf, assertUnambiguous, replaceArgs } from './request-args.js';
import { addHttp, addResponse, addSubject, type Facts, textsOf } from './request-facts.js';
import type { RequestSection } from './request-section.js';
import { type PostRun, RESULT_UNSEEN, type ResponseFacts, ResponseRules } from './response-rules.js';
import { isHidden } from './visible-result.js';

/** The rules that were chosen for a request. */
export interface Chosen {
  readonly section: RequestSection;
  /** `undefined` for a request that is no call of MCP. */
  readonly call: McpCall | undefined;
  /** The rules that the same request would get on a route that is not a server of MCP, where the body is not read as a call. */
  readonly plain: RequestSection;
}

/** Runs the rules of one section for one request: those before the handler, and those for its response. */
export class SectionRun implements PostRun {
  readonly section: RequestSection;
  readonly #call: McpCall | undefined;
  readonly #plain: RequestSection;
  readonly #guarded: GuardedRequest;
  /** The arguments, once they were read. */
  #args: { readonly value: unknown } | undefined;

  constructor(guarded: GuardedRequest, { section, call, plain }: Chosen) {
    this.section = section;
    this.#call = call;
    this.#plain = plain;
    this.#guarded = guarded;
    if (section.denial) guarded.denial = section.denial;
  }

  get isMcp(): boolean {
    return this.#call !== undefined;
  }

  get isObserving(): boolean {
    return this.#guarded.isObserving;
  }

  /** Runs the rules before the handler, and prepares those for the response. */
  enter(): MaybePromise<Refusal | undefined> {
    const refused = this.section.hasPre ? this.evaluate('pre', {}, (made) => this.#onDecision(made)) : undefined;
    return whenSettled(refused, (refusal) => refusal ?? this.#goOn());
  }

  #goOn(): Refusal | undefined {
    const { section } = this;
    const { request, res } = this.#guarded;
    if (section.needsResult && this.#call?.isTask) {
      const error = new Error(`The rules of ${section.key} need the result, but another request asks for it later.`);
      return this.#guarded.failed(error, RESULT_UNSEEN);
    }
    if (section.readsLabels) request.reliesOnSession();
    if (section.denial) request.renderBy(section.denial);
    return section.hasPost ? new ResponseRules(this, res, request).attach() : undefined;
  }

  #onDecision(decision: RuleDecision): MaybePromise<Refusal | undefined> {
    const refusal = this.refusalOf(decision);
    if (refusal) return refusal;
    if (decision.args !== undefined && !this.isObserving) this.#changeArgs(decision.args);
    if (!decision.taints.some(([, scopes]) => scopes.includes('session'))) return undefined;
    return this.#guarded.request.persist().then(
      () => undefined,
      () => this.#guarded.refusal(PERSIST_FAILED),
    );
  }

  #changeArgs(args: unknown): void {
    const { req, settings } = this.#guarded;
    if (!settings.transformArgs) {
      throw new AplSessionError('policy.error', 'A plugin has changed an argument, but transformArgs is not set.');
    }
    replaceArgs(req, this.#call, args);
    this.#args = { value: structuredClone(args) };
  }

  evaluate(
    phase: 'pre' | 'post',
    { response, result }: { readonly response?: ResponseFacts | undefined; readonly result?: unknown },
    next: (decision: RuleDecision) => MaybePromise<Refusal | undefined>,
  ): MaybePromise<Refusal | undefined> {
    return this.#guarded.attempt(() =>
      whenSettled(this.#attributes(phase, response, result), (attributes) => {
        const args = this.section[phase].hasBelow('args.') ? this.#args?.value : undefined;
        const input = { phase, ...(args !== undefined && { args }), ...(result !== undefined && { result }) };
        return whenSettled(this.section.section.decide(attributes, input), next);
      }),
    );
  }

  refusalOf(decision: RuleDecision): Refusal | undefined {
    const guarded = this.#guarded;
    addLabels(guarded, decision.taints);
    if (decision.decision === 'allow') return undefined;
    const { code, reason, rule, cause } = decision;
    guarded.request.traceRule(guarded.settings.name, rule);
    if (cause !== undefined) guarded.alarm(cause);
    return guarded.refusal(toViolation({ code, reason: reason || 'access denied' }), rule);
  }

  failed(error: unknown, violation?: Violation): Refusal | undefined {
    return this.#guarded.failed(error, violation);
  }

  #attributes(phase: 'pre' | 'post', response: ResponseFacts | undefined, result: unknown): MaybePromise<Attributes> {
    const guarded = this.#guarded;
    const { req, request, settings } = guarded;
    const reads = this.section[phase];
    const facts: Facts = { 'route.key': this.section.key };
    guarded.secrets = () => textsOf(facts, [this.#args?.value, result]);
    addHttp(facts, req, reads, settings);
    if (response) addResponse(facts, response);
    // the arguments first: an alarm about the subject must not show them
    return whenSettled(this.#readArgs(phase), () =>
      whenSettled(addSubject(facts, req, reads, settings), () => {
        // all rules see the labels of this moment, also if a plugin makes them wait
        const labels: ReadonlySet<string> = new Set(labelsIn(request.labels));
        // as in CPEX, an empty set is an absent attribute
        if (labels.size > 0) facts['security.labels'] = labels;
        const subject = typeof facts['subject.id'] === 'string' ? facts['subject.id'] : undefined;
        return boundTo({ req, labels, subject }, facts);
      }),
    );
  }

  #readArgs(phase: 'pre' | 'post'): MaybePromise<void> {
    const { pre, post, hasPost } = this.section;
    if (this.#args || phase === 'post' || !(pre.hasBelow('args.') || post.hasBelow('args.'))) return undefined;
    const { req, settings } = this.#guarded;
    if (this.#call && !settings.args) assertUnambiguous(this.#plain.reads);
    return whenSettled(argsOf(req, this.#call, settings), (value) => {
      if (isHidden(value, 'args', this.section.reads)) {
        throw new AplSessionError(
          'policy.error',
          'A rule reads a field of args that is in an array of the request, or whose key has a dot.',
        );
      }
      // the handler may change its object
      this.#args = { value: hasPost && post.hasBelow('args.') ? structuredClone(value) : value };
    });
  }
}

function addLabels({ request, settings }: GuardedRequest, taints: readonly Taint[]): void {
  for (const [label, scopes] of taints) {
    if (scopes.includes('message')) request.labels.addForMessage(label);
    if (scopes.includes('session')) request.labels.addBy(label, settings.name);
  }
}
