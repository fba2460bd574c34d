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

/** What is known of a request when the middleware hands it on. */
export interface SessionStart {
  readonly session: ResolvedSession | undefined;
  readonly storedLabels: Iterable<string>;
  readonly headersAtEntry: HeaderSnapshot;
}

/**
 * `req.security`, and the rule by which the response is held, released or refused. A request that adds no label pays
 * for this object only: the gate is put on its response with the first label that is new.
 */
export class SessionSecurity implements RequestSecurity {
  readonly sessionId: string | undefined;
  readonly source: string | undefined;
  readonly #res: Response;
  readonly #headersAtEntry: HeaderSnapshot;
  readonly #persistence: LabelPersistence;
  #gate: ResponseGate | undefined;
  #violation: Violation | undefined;
  #answered = false;
  #settlesAtEnd = false;
  /** The response is a denial that is still to be rendered by nobody but us. */
  #replaces = false;
  /** What leaves is a denial, so labels that could not be saved do not hold it any longer. */
  #denied = false;

  constructor(req: Request, res: Response, access: StoreAccess, start: SessionStart) {
    this.#res = res;
    this.#headersAtEntry = start.headersAtEntry;
    this.sessionId = start.session?.id;
    this.source = start.session?.source;
    this.#persistence = new LabelPersistence(access, this.sessionId, start.storedLabels, {
      onNewLabel: () => this.#onNewLabel(),
      describe: () => ({
        route: routeName(req, this.#secrets()),
        decisionWasAllow: !this.#denied,
        bytesSent: this.#gate?.headOut ?? false,
      }),
    });
  }

  get labels(): Set<string> {
    return this.#persistence.labels;
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
    if (this.#res.headersSent) {
      gate.refuse();
      return;
    }
    // ends the response for all who wrap it; what they make of it, headers included, is replaced at the gate
    this.#replaces = true;
    this.#answer(this.#res);
  }

  persist(): Promise<void> {
    return this.#persistence.persist();
  }

  /** Takes a violation over without answering; the first one stays. What leaves is no denial because of it. */
  record(violation: Violation): void {
    const checked = toViolation(violation);
    this.#violation ??= checked;
  }

  #onNewLabel(): void {
    const settle = (): void => void this.#persistence.settle();
    if (isOver(this.#res)) {
      // nobody waits for this response any more, but the label must not be lost
      queueMicrotask(settle);
      return;
    }
    this.#gated();
    if (this.#settlesAtEnd) return;
    this.#settlesAtEnd = true;
    onceOver(this.#res, settle);
  }

  #gated(): ResponseGate {
    this.#gate ??= ResponseGate.on(this.#res, this.#keeper());
    return this.#gate;
  }

  #keeper(): GateKeeper {
    const persistence = this.#persistence;
    return {
      mustHold: () => persistence.unsettled || (persistence.pending && !this.#denied) || this.#replaces,
      settle: async (status): Promise<Verdict> => {
        this.#denied ||= status !== undefined && this.#isDenial(status);
        await persistence.settle();
        if (this.#replaces) {
          this.#replaces = false;
          return 'refuse';
        }
        if (!persistence.pending || this.#denied) return 'release';
        this.record(PERSIST_FAILED);
        this.#denied = true;
        this.#answered = true;
        return 'refuse';
      },
      answerRefusal: (detached) => this.#answer(detached),
    };
  }

  /** G3. A violation that was only recorded makes no denial of a response that is none. */
  #isDenial(status: number): boolean {
    return status === 401 || status === 403 || (this.#violation !== undefined && status >= 400);
  }

  #secrets(): string[] {
    return [this.sessionId ?? '', ...this.labels];
  }

  #answer(res: ServerResponse): void {
    answerDenial(res, problemDenial(this.#violation ?? PERSIST_FAILED), this.#headersAtEntry);
  }
}

const kSecurity = Symbol('express-apl-session.security');
type SecuredRequest = Request & { [kSecurity]?: Mounted };

/** What a mount of the middleware has put on a request. */
export interface Mounted {
  readonly security: SessionSecurity;
  /** The access of the mount; every `aplSessionMiddleware()` has one of its own. */
  readonly access: StoreAccess;
}

/** What is mounted on a request, whatever was done to `req.security` since. */
export function mountedOn(req: Request): Mounted | undefined {
  return (req as SecuredRequest)[kSecurity];
}

export function securityOf(req: Request): SessionSecurity | undefined {
  return mountedOn(req)?.security;
}

/**
 * Puts a security on the request. An object that an earlier middleware has put there keeps its identity and its other
 * members; its labels count as new, and a violation that it has recorded stands.
 * @throws AplSessionError `label.invalid` if its labels are none; `middleware.conflict` if it cannot be extended
 */
export function attachSecurity(req: Request, mounted: Mounted): void {
  const { security } = mounted;
  const earlier: unknown = req.security;
  if (earlier === undefined || earlier === null) req.security = security;
  else adopt(earlier, security);
  if (req.security?.labels !== security.labels) {
    throw new AplSessionError(
      'middleware.conflict',
      'req.security is set already, and not to a plain object that can be extended. Use another name for it.',
    );
  }
  (req as SecuredRequest)[kSecurity] = mounted;
}

function adopt(earlier: unknown, security: SessionSecurity): void {
  if (typeof earlier !== 'object' || earlier === null || !Object.isExtensible(earlier)) return;
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
}
