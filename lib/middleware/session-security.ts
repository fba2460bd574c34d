import type { ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { RequestSecurity, Violation } from '../contract/security.js';
import { answerDenial, type HeaderSnapshot, problemDenial } from '../response/denial.js';
import { isOver, onceOver } from '../response/response-end.js';
import { type GateKeeper, ResponseGate, type Verdict } from '../response/response-gate.js';
import type { ResolvedSession } from '../session/resolved-session.js';
import { LabelPersistence } from './label-persistence.js';
import { routeName } from './route-name.js';
import type { StoreAccess } from './store-access.js';
import { PERSIST_FAILED, toViolation } from './violations.js';

/** One request and its answer, as the middleware found them. */
export interface Exchange {
  readonly req: Request;
  readonly res: Response;
  readonly access: StoreAccess;
  readonly headersAtEntry: HeaderSnapshot;
}

/**
 * `req.security`, and the rule by which the response is held, released or refused. A request that adds no label pays
 * for this object only: the gate is put on its response with the first label that is new.
 */
export class SessionSecurity implements RequestSecurity {
  readonly sessionId: string | undefined;
  readonly source: string | undefined;
  readonly #exchange: Exchange;
  readonly #storedLabels: readonly string[];
  #persistence: LabelPersistence | undefined;
  #gate: ResponseGate | undefined;
  #violation: Violation | undefined;
  #answered = false;
  #settlesAtEnd = false;
  /** The response is a denial that is still to be rendered by nobody but us. */
  #replaces = false;
  /** What leaves is a denial, so labels that could not be saved do not hold it any longer. */
  #denied = false;

  constructor(exchange: Exchange, session: ResolvedSession | undefined, storedLabels: readonly string[]) {
    this.#exchange = exchange;
    this.#storedLabels = storedLabels;
    this.sessionId = session?.id;
    this.source = session?.source;
  }

  /** The access of the mount that has made it; every `aplSessionMiddleware()` has one of its own. */
  static accessOf(security: SessionSecurity): StoreAccess {
    return security.#exchange.access;
  }

  get labels(): Set<string> {
    return this.#asked().labels;
  }

  get violation(): Violation | undefined {
    return this.#violation;
  }

  deny(violation: Violation): void {
    this.record(violation);
    this.#denied = true;
    if (this.#answered) return;
    this.#answered = true;
    const gate = this.#gated();
    if (this.#exchange.res.headersSent) {
      gate.refuse();
      return;
    }
    // ends the response for all who wrap it; what they make of it, headers included, is replaced at the gate
    this.#replaces = true;
    this.#answer(this.#exchange.res);
  }

  async persist(): Promise<void> {
    await this.#persistence?.persist();
  }

  /** Takes a violation over without answering; the first one stays. What leaves is no denial because of it. */
  record(violation: Violation): void {
    const checked = toViolation(violation);
    this.#violation ??= checked;
  }

  /** Made when somebody first asks for the labels, which is in no hurry for most requests. */
  #asked(): LabelPersistence {
    this.#persistence ??= new LabelPersistence(this.#exchange.access, this.sessionId, this.#storedLabels, {
      onNewLabel: () => this.#onNewLabel(),
      describe: () => ({
        route: routeName(this.#exchange.req, this.#secrets()),
        decisionWasAllow: !this.#denied,
        bytesSent: this.#gate?.headOut ?? false,
      }),
    });
    return this.#persistence;
  }

  #onNewLabel(): void {
    const settle = (): void => this.#persistence?.settle(() => {});
    if (isOver(this.#exchange.res)) {
      // nobody waits for this response any more, but the label must not be lost
      queueMicrotask(settle);
      return;
    }
    this.#gated();
    if (this.#settlesAtEnd) return;
    this.#settlesAtEnd = true;
    onceOver(this.#exchange.res, settle);
  }

  #gated(): ResponseGate {
    this.#gate ??= ResponseGate.on(this.#exchange.res, this.#keeper());
    return this.#gate;
  }

  #keeper(): GateKeeper {
    const persistence = this.#asked();
    return {
      mustHold: () => persistence.unsettled || (persistence.pending && !this.#denied) || this.#replaces,
      settle: (status, done) => {
        this.#denied ||= status !== undefined && this.#isDenial(status);
        persistence.settle(() => done(this.#verdict(persistence)));
      },
      answerRefusal: (detached) => this.#answer(detached),
    };
  }

  #verdict({ pending }: LabelPersistence): Verdict {
    if (this.#replaces) {
      this.#replaces = false;
      return 'refuse';
    }
    if (!pending || this.#denied) return 'release';
    this.record(PERSIST_FAILED);
    this.#denied = true;
    this.#answered = true;
    return 'refuse';
  }

  /** G3. A violation that was only recorded makes no denial of a response that is none. */
  #isDenial(status: number): boolean {
    return status === 401 || status === 403 || (this.#violation !== undefined && status >= 400);
  }

  #secrets(): string[] {
    return [this.sessionId ?? '', ...this.labels];
  }

  #answer(res: ServerResponse): void {
    answerDenial(res, problemDenial(this.#violation ?? PERSIST_FAILED), this.#exchange.headersAtEntry);
  }
}

const kSecurity = Symbol('express-apl-session.security');
type SecuredRequest = Request & { [kSecurity]?: SessionSecurity };

/** What the middleware has put on a request, whatever was done to `req.security` since. */
export function securityOf(req: Request): SessionSecurity | undefined {
  return (req as SecuredRequest)[kSecurity];
}

export const { accessOf } = SessionSecurity;

/**
 * Puts a security on the request. An object that an earlier middleware has put there keeps its identity and its other
 * members; its labels count as new, and a violation that it has recorded stands.
 * @throws AplSessionError `label.invalid` if its labels are none; `middleware.conflict` if it cannot be extended
 */
export function attachSecurity(req: Request, security: SessionSecurity): void {
  const earlier: unknown = req.security;
  if (!(earlier === undefined || earlier === null ? place(req, security) : adopt(req, earlier, security))) {
    throw new AplSessionError(
      'middleware.conflict',
      'req.security is set already, and not to a plain object that can be extended. Use another name for it.',
    );
  }
  (req as SecuredRequest)[kSecurity] = security;
}

function place(req: Request, security: SessionSecurity): boolean {
  req.security = security;
  return req.security === security;
}

function adopt(req: Request, earlier: unknown, security: SessionSecurity): boolean {
  if (typeof earlier !== 'object' || earlier === null || !Object.isExtensible(earlier)) return false;
  const { labels = [], violation } = earlier as { labels?: unknown; violation?: Violation };
  if (typeof labels !== 'object' || labels === null || !(Symbol.iterator in labels)) {
    throw new AplSessionError('label.invalid', 'req.security.labels is set already, and is no iterable of labels.');
  }
  for (const label of labels as Iterable<string>) security.labels.add(label);
  if (violation) security.record(violation);
  for (const member of ['sessionId', 'source', 'labels', 'violation'] as const) {
    Object.defineProperty(earlier, member, { get: () => security[member], enumerable: true, configurable: true });
  }
  for (const method of ['deny', 'persist'] as const) {
    Object.defineProperty(earlier, method, { value: security[method].bind(security), configurable: true });
  }
  return req.security?.labels === security.labels;
}
