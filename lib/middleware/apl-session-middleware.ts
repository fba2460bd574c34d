import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';
import { type HeaderSnapshot, snapshotHeaders } from '../denial/entry-headers.js';
import { LOAD_FAILED, PERSIST_FAILED, SESSION_REQUIRED } from '../denial/violations.js';
import { OwedMember } from '../labels/background-member.js';
import { StoreAccess } from '../labels/store-access.js';
import { assertGateableRuntime } from '../node/runtime-check.js';
import { assertGateable } from '../node/server-response.js';
import {
  type MissingSession,
  type ResolvedSession,
  toMissingSession,
  toResolvedSession,
} from '../session/resolved-session.js';
import { keptAlive } from '../util/kept-alive.js';
import { isPromiseLike } from '../util/maybe-promise.js';
import { NextTurn } from '../util/next-turn.js';
import { type AplSessionOptions, parseMiddlewareOptions } from './middleware-options.js';
import { MissingSessions } from './missing-sessions.js';
import { type Exchange, type LoadListener, type Mount, SessionRequest } from './session-request.js';
import { attachSecurity, sessionRequestOf, shareSecurity } from './session-security.js';

/** The middleware, and the end of its work. */
export interface AplSessionMiddleware extends RequestHandler {
  /** Waits for appends under way, then closes the store if it was built here. */
  close(): Promise<void>;
}

/**
 * Express middleware that loads the labels of the request's session into `req.security.labels` and persists what the
 * request adds to them before any byte of the response leaves.
 *
 * A load that fails answers 403 `session.load_failed` before any handler; a persist that fails turns every response
 * that is not a denial into 403 `session.persist_failed`, or cuts the connection if bytes were out.
 *
 * @throws AplSessionError `config.*` for options that it does not understand, `runtime.unsupported` on a Node on which
 * it could not hold a response back
 */
export function aplSessionMiddleware(options: AplSessionOptions): AplSessionMiddleware {
  const settings = parseMiddlewareOptions(options);
  const { session, sessionless, store, ownsStore, denial, alarms } = settings;
  assertGateableRuntime();
  const access = new StoreAccess(settings, alarms);
  store.onAlarm?.(alarms.raise);

  const mount: Mount = { access, session, sessionless, missingSessions: new MissingSessions(alarms), denial };
  const nextTurn = new NextTurn();
  const middleware: RequestHandler = (req, res, next) => {
    const mounted = sessionRequestOf(req);
    if (hasSession(mounted, access)) {
      shareSecurity(req);
      next();
    } else nextTurn.wait().then(() => proceed(next, () => enter(new Arrival(req, res, next, mount, mounted))));
  };
  return Object.assign(middleware, {
    close(): Promise<void> {
      return keptAlive(async () => {
        await access.idle();
        await persistOwed(access);
        if (ownsStore) await store.close?.();
      });
    },
  });
}

/** What could not be appended when it was due is tried once more before the store is closed. */
async function persistOwed(access: StoreAccess): Promise<void> {
  await access.sessions.persistOwed((session) => new OwedMember(access, session, 'aplSessionMiddleware.close()'));
}

/** A request on its way in. */
class Arrival implements Exchange, LoadListener {
  readonly req: Request;
  readonly res: Response;
  readonly next: NextFunction;
  readonly mount: Mount;
  /** What an earlier mount has found. */
  readonly mounted: SessionRequest | undefined;
  readonly headersAtEntry: HeaderSnapshot;

  constructor(req: Request, res: Response, next: NextFunction, mount: Mount, mounted: SessionRequest | undefined) {
    assertGateable(res);
    this.req = req;
    this.res = res;
    this.next = next;
    this.mount = mount;
    this.mounted = mounted;
    this.headersAtEntry = snapshotHeaders(res);
  }

  onLoaded(request: SessionRequest, storedLabels: readonly string[]): void {
    proceed(this.next, () => open(this, request, storedLabels));
  }

  onLoadFailed(request: SessionRequest, cause: unknown): void {
    const secrets = [request.sessionId ?? ''];
    this.mount.access.alarms.storeFailure('load', cause, { at: this.req, secrets });
    refuse(this, request, LOAD_FAILED);
  }

  onOwedFailed(request: SessionRequest): void {
    refuse(this, request, PERSIST_FAILED);
  }
}

/** Takes a step, which tells whether the request goes on now. What it throws goes to Express's error handling. */
function proceed(next: NextFunction, step: () => boolean): void {
  try {
    if (!step()) return;
  } catch (error) {
    next(error);
    return;
  }
  next();
}

/** Resolves the session. A request without one goes on at once, unless the resolver is asynchronous. */
function enter(arrival: Arrival): boolean {
  const { req, next, mount } = arrival;
  const answer = mount.session(req);
  if (!isPromiseLike(answer)) return load(arrival, answer);
  Promise.resolve(answer).then((awaited) => proceed(next, () => load(arrival, awaited)), next);
  return false;
}

function load(arrival: Arrival, answer: unknown): boolean {
  const { req, mounted, mount } = arrival;
  const session = toResolvedSession(answer);
  if (mounted && isServed(mounted, mount, session)) return true;
  if (!session) return enterWithout(arrival, toMissingSession(mount.session, req, answer));
  mount.missingSessions.found(req);
  new SessionRequest(arrival, session).load(session.id, arrival);
  return false;
}

/** Lets a request without a session go on, or refuses it. */
function enterWithout(arrival: Arrival, session: MissingSession): boolean {
  const { res, mounted, mount } = arrival;
  if (mount.sessionless === 'allow') return open(arrival, new SessionRequest(arrival, session), []);
  const request = mounted ?? new SessionRequest(arrival, session);
  request.reliesOnSession();
  if (!res.headersSent) request.deny(SESSION_REQUIRED, mount.denial);
  return false;
}

function open({ req }: Arrival, request: SessionRequest, storedLabels: readonly string[]): true {
  request.begin(storedLabels);
  attachSecurity(req, request);
  return true;
}

function refuse({ res, next }: Arrival, request: SessionRequest, violation: Violation): void {
  proceed(next, () => {
    // an earlier middleware, a timeout for example, may have answered while we waited
    if (!res.headersSent) request.deny(violation);
    return false;
  });
}

/** Whether another run of the same middleware has found a session. */
function hasSession(mounted: SessionRequest | undefined, access: StoreAccess): boolean {
  return mounted !== undefined && mounted.sessionId !== undefined && mounted.access === access;
}

/**
 * Whether what an earlier mount has found serves this one as well: the same session in the same store, or no session
 * now. If the earlier mount found no session (it was mounted before the authentication, for example), this one takes over.
 * @throws AplSessionError `middleware.conflict` for two sessions, or one session in two stores
 */
function isServed(mounted: SessionRequest, mount: Mount, session: ResolvedSession | undefined): boolean {
  const { sessionId } = mounted;
  if (session === undefined) return sessionId !== undefined || mount.sessionless === 'allow';
  if (sessionId === undefined) return false;
  if (mounted.access.store === mount.access.store && sessionId === session.id) return true;
  throw new AplSessionError(
    'middleware.conflict',
    'Two mounts of aplSessionMiddleware found different sessions, or keep the session in different stores. Mount one, or give both the same session and store.',
  );
}
