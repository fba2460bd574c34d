import type { Request } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { RequestSecurity, Violation } from '../contract/security.js';
import { VERSION } from '../contract/version.js';
import { alarmedIfNotPersisted } from '../known-sessions/alarmed-failure.js';
import { isOnPrototype, requestState } from '../node/request-state.js';
import { SecurityProperty } from './security-property.js';
import type { SessionRequest } from './session-request.js';

/**
 * Copies of this package with the same number can serve one request together. Raise it with every change of the members of
 * `SessionRequest` and `LabelSet` that guards and mounts use.
 */
const PROTOCOL = 3;

/** The property of a request with its security object. All copies of this package use it. */
const kSecurity = Symbol.for('express-apl-session.security');
/** The property of the security object that leads to the `SessionRequest`. */
const kShared = Symbol.for('express-apl-session.shared');

/** What one copy of this package shares with the others. */
interface Shared {
  readonly protocol: number;
  readonly version: string;
  readonly request: SessionRequest;
}

/** `req.security`: the part of a `SessionRequest` that handlers may use. */
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
    return alarmedIfNotPersisted(this.#request.persist());
  }
}

function requestOfCopy(security: { readonly [kShared]?: Partial<Shared> }): SessionRequest {
  const { protocol, version, request } = security[kShared] ?? {};
  if (protocol === PROTOCOL && request) return request;
  throw otherVersion(version);
}

/** The error for a request that is served by an incompatible version of this package. */
export function otherVersion(version = 'unknown'): AplSessionError {
  return new AplSessionError(
    'middleware.conflict',
    `The request is served by another version of express-apl-session (${version}), which is not compatible with this one (${VERSION}). Install one version only: 'npm ls express-apl-session' lists the packages that depend on each, and 'npm dedupe' or 'overrides' remove the others.`,
  );
}

type Holder = { [kSecurity]?: SessionSecurity };

function holderOf(req: Request): Holder {
  return requestState(req);
}

/**
 * Returns the `SessionRequest` of a request, even if `req.security` was changed since.
 * @throws AplSessionError `middleware.conflict` if an incompatible version of this package serves the request
 */
export function sessionRequestOf(req: Request): SessionRequest | undefined {
  return SessionSecurity.requestOf(holderOf(req)[kSecurity]);
}

/** Returns the security object of a request, even if `req.security` was changed since. */
export function securityOf(req: Request): RequestSecurity | undefined {
  return holderOf(req)[kSecurity];
}

/**
 * Sets `req.security`. If earlier middleware has set an object there, that object stays and gets the members of
 * `RequestSecurity`: its labels count as new labels, and its violation is kept.
 * @throws AplSessionError `label.invalid` for invalid labels on that object; `middleware.conflict` if it cannot be extended
 */
export function attachSecurity(req: Request, request: SessionRequest, property: SecurityProperty): void {
  const security = new SessionSecurity(request);
  const holder = holderOf(req);
  const kept = holder[kSecurity];
  const isInherited = property.isInherited(req);
  const earlier: unknown = isInherited ? kept : req.security;
  holder[kSecurity] = security;
  let isPlaced = false;
  try {
    if (earlier !== undefined && earlier !== null) {
      // an object that requests share would give the labels of one to the next
      const isShared = earlier !== kept && isOnPrototype(req, 'security');
      isPlaced = !isShared && adopt(req, earlier, request, security);
    } else isPlaced = isInherited || property.place(req, security);
  } finally {
    if (!isPlaced && kept) holder[kSecurity] = kept;
    else if (!isPlaced) delete holder[kSecurity];
  }
  if (isPlaced) return;
  throw new AplSessionError(
    'middleware.conflict',
    'Other code has set req.security to a value that cannot be extended. Use another property name there.',
  );
}

/** Sets `req.security` on a request that has lost it: an app of another copy of Express may have changed its prototype. */
export function shareSecurity(req: Request, property: SecurityProperty): void {
  const security = holderOf(req)[kSecurity];
  if (security && !property.isInherited(req) && req.security === undefined) property.place(req, security);
}

/** Creates the property `req.security`. Each mount has one object for it. */
export function securityProperty(): SecurityProperty {
  return new SecurityProperty(securityOf);
}

function adopt(req: Request, earlier: unknown, request: SessionRequest, security: RequestSecurity): boolean {
  if (typeof earlier !== 'object' || earlier === null || !Object.isExtensible(earlier)) return false;
  const { labels = [], violation } = earlier as { labels?: unknown; violation?: Violation };
  if (typeof labels !== 'object' || labels === null || !(Symbol.iterator in labels)) {
    throw new AplSessionError(
      'label.invalid',
      'Other code has set req.security.labels to a value that is not an iterable of labels.',
    );
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
