import type { Request } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { RequestSecurity, Violation } from '../contract/security.js';
import { VERSION } from '../contract/version.js';
import { requestState } from '../node/request-state.js';
import type { SessionRequest } from './session-request.js';

/**
 * Copies of this package with the same number serve one request together. Raise it with every change of what guards and
 * mounts use of a `SessionRequest` and its `LabelSet`.
 */
const PROTOCOL = 2;

/** Where copies of this package look for what one of them has put on a request. */
const kSecurity = Symbol.for('express-apl-session.security');
/** How they get from there to the request of a session. */
const kShared = Symbol.for('express-apl-session.shared');

/** What a copy gives to others. */
interface Shared {
  readonly protocol: number;
  readonly version: string;
  readonly request: SessionRequest;
}

/** `req.security`: what handlers may see and do of a request of a session. */
class SessionSecurity implements RequestSecurity {
  readonly #request: SessionRequest;

  constructor(request: SessionRequest) {
    this.#request = request;
  }

  static requestOf(security: SessionSecurity | undefined): SessionRequest | undefined {
    if (security === undefined) return undefined;
    return #request in security ? security.#request : requestOfCopy(security);
  }

  get [kShared](): Shared {
    return { protocol: PROTOCOL, version: VERSION, request: this.#request };
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

function requestOfCopy(security: { readonly [kShared]?: Partial<Shared> }): SessionRequest {
  const { protocol, version, request } = security[kShared] ?? {};
  if (protocol === PROTOCOL && request) return request;
  throw otherVersion(version);
}

/** The error for a request that a version of this package serves with which this one cannot work. */
export function otherVersion(version = 'unknown'): AplSessionError {
  return new AplSessionError(
    'middleware.conflict',
    `The request is served by another version of express-apl-session (${version}), with which this one (${VERSION}) cannot work. Have one version of it: 'npm ls express-apl-session' shows who brings which, 'npm dedupe' or 'overrides' make them one.`,
  );
}

type Holder = { [kSecurity]?: SessionSecurity };

function holderOf(req: Request): Holder {
  return requestState(req);
}

/**
 * The request of a session behind a request, whatever was done to `req.security` since.
 * @throws AplSessionError `middleware.conflict` if a copy of this package serves it with which this one cannot work
 */
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
