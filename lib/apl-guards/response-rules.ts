import { isDeepStrictEqual } from 'node:util';
import type { Response } from 'express';
import type { RuleDecision } from '../apl/decision.js';
import type { Violation } from '../contract/security.js';
import { isAppDenial } from '../denial/app-denial.js';
import type { Refusal } from '../middleware/response-reviews.js';
import type { SessionRequest } from '../middleware/session-request.js';
import type { RenderedHead } from '../node/node-response.js';
import { type MaybePromise, whenSettled } from '../util/maybe-promise.js';
import type { GivenHead } from './collected-body.js';
import { interceptJson, jsonText } from './json-body.js';
import { readNames } from './read-names.js';
import type { RequestSection } from './request-section.js';
import { isHidden, resultOfBody } from './visible-result.js';

/** What the rules read about the response. */
export interface ResponseFacts {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** What runs the rules of the post phase. */
export interface PostRun {
  readonly section: RequestSection;
  readonly isMcp: boolean;
  readonly isObserving: boolean;
  evaluate(
    phase: 'post',
    input: { readonly response?: ResponseFacts | undefined; readonly result?: unknown },
    next: (decision: RuleDecision) => Refusal | undefined,
  ): MaybePromise<Refusal | undefined>;
  refusalOf(decision: RuleDecision): Refusal | undefined;
  failed(error: unknown, violation?: Violation): Refusal | undefined;
}

/** The denial of a response whose result rules need and cannot see. */
export const RESULT_UNSEEN: Violation = Object.freeze({
  code: 'policy.result_unseen',
  reason: 'the result could not be checked',
});

/** What the rules have said about a JSON body. */
interface BodyDecision {
  readonly decision: RuleDecision;
  /** What they have read. */
  readonly response: ResponseFacts;
  readonly result: unknown;
}

const PARTIAL_CONTENT = 206;

/**
 * The rules for the response of one request. They run on the JSON body if a rule needs the result, else when the header section
 * is about to leave. They run again if the header section differs from what they have read beside the body.
 */
export class ResponseRules {
  readonly #run: PostRun;
  readonly #res: Response;
  readonly #request: SessionRequest;
  /** Set once the rules have run on a JSON body. */
  #outcome: { readonly refusal: MaybePromise<Refusal | undefined> } | undefined;
  /** `undefined` if the rules could not run on the body, or have not answered yet. */
  #made: BodyDecision | undefined;

  constructor(run: PostRun, res: Response, request: SessionRequest) {
    this.#run = run;
    this.#res = res;
    this.#request = request;
  }

  /** Returns a refusal if the response has begun already, so that the rules could not run in time. */
  attach(): Refusal | undefined {
    const res = this.#res;
    if (res.headersSent) return this.#run.failed(new Error('The response began before its rules could run.'));
    if (this.#run.section.needsResult) {
      interceptJson(res, { isOpen: () => !this.#request.isDenied, onText: (text, head) => this.#onJson(text, head) });
    }
    this.#request.review((head) => this.#review(head));
    return undefined;
  }

  #review(head: RenderedHead | undefined): MaybePromise<Refusal | undefined> {
    const outcome = this.#outcome;
    const run = this.#run;
    if (run.section.needsResult && head?.hasBody && !isAppDenial(head.status, this.#request.violation)) {
      // the client could ask for the bytes of a field without its name
      if (head.status === PARTIAL_CONTENT) return unseen(run, 'the response is a part of a body');
      if (!outcome) return unseen(run, 'the response is not JSON, or it is sent in pieces before its end');
    }
    if (!outcome) return run.evaluate('post', { response: head }, (decision) => run.refusalOf(decision));
    return whenSettled(outcome.refusal, (refusal) => refusal ?? this.#reviewAgain(head));
  }

  /** Listeners of the header section, and Node, may set headers after the body was checked. */
  #reviewAgain(head: RenderedHead | undefined): MaybePromise<Refusal | undefined> {
    const run = this.#run;
    const made = this.#made;
    if (!head || !made || made.decision.decision === 'deny' || !this.#hasChanged(head, made.response)) return undefined;
    return run.evaluate('post', { response: head, result: made.result }, (decision) => {
      const refusal = run.refusalOf(decision);
      const isAlike = run.isObserving || isDeepStrictEqual(decision.result, made.decision.result);
      return refusal ?? (isAlike ? undefined : unseen(run, 'they change it only with a later header'));
    });
  }

  /** Whether something that a rule reads differs. */
  #hasChanged(head: ResponseFacts, read: ResponseFacts): boolean {
    const { result, postInvocation } = this.#run.section.section.parts;
    const names = readNames([...result.reads, ...postInvocation.reads]);
    if (names.has('http.response_status') && head.status !== read.status) return true;
    const headers = names.below('http.response_headers.');
    return (headers === 'all' ? [...head.headers.keys()] : headers).some(
      (name) => head.headers.get(name) !== read.headers.get(name),
    );
  }

  /** Returns the text to send. */
  #onJson(text: string, head: GivenHead | undefined): string {
    const run = this.#run;
    const response = factsOf(this.#res, head);
    const body = parsed(text);
    const visible = resultOfBody(body, run.isMcp);
    const names = [...run.section.section.parts.result.reads, ...run.section.section.parts.postInvocation.reads];
    if (visible === undefined || (visible !== 'none' && isHidden(visible.value, 'result', names))) {
      if (isAppDenial(response.status, this.#request.violation)) return text;
      const problem =
        visible === undefined
          ? 'the body is not an object'
          : 'a field that they read is in an array, or has a key with a dot';
      this.#outcome = { refusal: unseen(run, problem) };
      return text;
    }
    let sent = text;
    let isInTime = true;
    const result = visible === 'none' ? undefined : visible.value;
    const onDecision = (decision: RuleDecision): Refusal | undefined => {
      this.#made = { decision, response, result };
      const refusal = run.refusalOf(decision);
      if (decision.result === undefined || visible === 'none' || run.isObserving) return refusal;
      if (isInTime) sent = jsonText(this.#res, visible.replacedBy(decision.result));
      else if (!refusal) throw new Error('The result has changed too late: its plugins must answer synchronously.');
      return refusal;
    };
    this.#outcome = { refusal: run.evaluate('post', { response, result }, onDecision) };
    isInTime = false;
    return sent;
  }
}

function unseen(run: PostRun, problem: string): Refusal | undefined {
  return run.failed(new Error(`The rules of ${run.section.key} need the result, but ${problem}.`), RESULT_UNSEEN);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Express sets the type before it sends the body; Node adds other headers later. */
function factsOf(res: Response, given: GivenHead | undefined): ResponseFacts {
  const headers = [...Object.entries(res.getHeaders()), ...Object.entries(given?.headers ?? {})].flatMap(
    ([name, value]) => (value === undefined ? [] : [[name.toLowerCase(), textOf(value)] as const]),
  );
  return { status: given?.status ?? res.statusCode, headers: new Map(headers) };
}

function textOf(value: unknown): string {
  return Array.isArray(value) ? value.join(', ') : String(value);
}
