import type { Request } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { RequestSecurity, Violation } from '../contract/security.js';
import type { SessionRequest } from './session-request.js';

/** `req.security`: what handlers may see and do of a request of a session. */
class SessionSecurity implements RequestSecurity {
  readonly #request: SessionRequest;

  constructor(request: SessionRequest) {
    this.#request = request;
  }

  static requestOf(security: SessionSecurity | undefined): SessionRequest | undefined {
    return security === undefined ? undefined : security.#request;
  }

  get sessionId(): string | undefined {
    return this.#request.sessionId;
  }

  get source(): string | undefined {
    return this.#request.source;
  }

  get labels(): Set<string> {
    return this.#request.labels;
  }

  get violation(): Violation | undefined {
    return this.#request.violation;
  }

  deny(violation: Violation): void {
    this.#request.deny(violation);
  }

  persist(): Promise<void> {
    return this.#request.persist();
  }
}

const kSecurity = Symbol('express-apl-session.security');
type Holder = { [kSecurity]?: SessionSecurity };

/**
 * Where a request keeps what the middleware has put on it. Express gives each request a prototype of its own kind, after
 * which every property of its own is dear to add and to read for all; the state of its stream is as good as itself.
 */
function holderOf(req: Request): Holder {
  return (req as { _readableState?: Holder })._readableState ?? (req as Holder);
}

/** The request of a session behind a request, whatever was done to `req.security` since. */
export function sessionRequestOf(req: Request): SessionRequest | undefined {
  return SessionSecurity.requestOf(holderOf(req)[kSecurity]);
}

/** What the middleware has put on a request, in the same way. */
export function securityOf(req: Request): RequestSecurity | undefined {
  return holderOf(req)[kSecurity];
}

/**
 * Puts `req.security` on a request. An object that an earlier middleware has put there keeps its identity and its other
 * members; its labels count as new, and a violation that it has recorded stands.
 * @throws AplSessionError `label.invalid` if its labels are none; `middleware.conflict` if it cannot be extended
 */
export function attachSecurity(req: Request, request: SessionRequest): void {
  const security = new SessionSecurity(request);
  const earlier: unknown = req.security;
  if (!(earlier === undefined || earlier === null ? place(req, security) : adopt(req, earlier, request, security))) {
    throw new AplSessionError(
      'middleware.conflict',
      'req.security is set already, and not to a plain object that can be extended. Use another name for it.',
    );
  }
  holderOf(req)[kSecurity] = security;
}

/** Puts what another object of the same request has on this one, which was made of it without. */
export function shareSecurity(req: Request): void {
  const security = holderOf(req)[kSecurity];
  if (req.security === undefined && security) place(req, security);
}

function place(req: Request, security: RequestSecurity): boolean {
  req.security = security;
  return req.security === security;
}

function adopt(req: Request, earlier: unknown, request: SessionRequest, security: RequestSecurity): boolean {
  if (typeof earlier !== 'object' || earlier === null || !Object.isExtensible(earlier)) return false;
  const { labels = [], violation } = earlier as { labels?: unknown; violation?: Violation };
  if (typeof labels !== 'object' || labels === null || !(Symbol.iterator in labels)) {
    throw new AplSessionError('label.invalid', 'req.security.labels is set already, and is no iterable of labels.');
  }
  request.labels.adopt(labels as Iterable<string>);
  if (violation) request.record(violation);
  for (const member of ['sessionId', 'source', 'labels', 'violation'] as const) {
    Object.defineProperty(earlier, member, { get: () => security[member], enumerable: true, configurable: true });
  }
  for (const method of ['deny', 'persist'] as const) {
    Object.defineProperty(earlier, method, { value: security[method].bind(security), configurable: true });
  }
  return req.security?.labels === security.labels;
}
