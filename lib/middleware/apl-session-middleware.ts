import type { NextFunction, Request, RequestHandler } from 'express';
import { AplSessionError } from '../contract/errors.js';
import { nextTurn } from '../contract/next-turn.js';
import { isPromiseLike } from '../contract/promise-like.js';
import { snapshotHeaders } from '../response/headers-at-entry.js';
import { assertGateable } from '../response/node-response.js';
import { assertGateableRuntime } from '../response/runtime-check.js';
import {
  type MissingSession,
  type ResolvedSession,
  toMissingSession,
  toResolvedSession,
} from '../session/resolved-session.js';
import { alarmSink, errorText } from './alarm-sink.js';
import { keptAlive } from './kept-alive.js';
import { type AplSessionOptions, parseMiddlewareOptions } from './middleware-options.js';
import { MissingSessions } from './missing-sessions.js';
import { routeName } from './route-name.js';
import { type Exchange, type Mount, SessionRequest } from './session-request.js';
import { attachSecurity, sessionRequestOf, shareSecurity } from './session-security.js';
import { codeOf, StoreAccess } from './store-access.js';
import { LOAD_FAILED, SESSION_REQUIRED } from './violations.js';

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
  const { session, sessionless, store, ownsStore, storeTimeoutMs, denial, logger, onAlarm } =
    parseMiddlewareOptions(options);
  assertGateableRuntime();
  const access = new StoreAccess(store, storeTimeoutMs, alarmSink(logger, onAlarm));
  store.onAlarm?.(access.raise);

  const mount: Mount = { access, session, sessionless, missingSessions: new MissingSessions(access.raise), denial };
  const middleware: RequestHandler = (req, res, next) => {
    const mounted = sessionRequestOf(req);
    if (hasSession(mounted, access)) {
      shareSecurity(req);
      next();
    } else nextTurn().then(() => proceed(next, () => enter({ req, res, next, mount, mounted })));
  };
  return Object.assign(middleware, {
    close(): Promise<void> {
      return keptAlive(async () => {
        await access.idle();
        if (ownsStore) await store.close?.();
      });
    },
  });
}

/** A request on its way in. */
interface Arrival extends Exchange {
  readonly next: NextFunction;
  /** What an earlier mount has found. */
  readonly mounted: SessionRequest | undefined;
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
function enter({ req, res, next, mount, mounted }: Omit<Arrival, 'headersAtEntry'>): boolean {
  assertGateable(res);
  const arrival: Arrival = { req, res, next, mount, mounted, headersAtEntry: snapshotHeaders(res) };
  const answer = mount.session(req);
  if (!isPromiseLike(answer)) return load(arrival, answer);
  Promise.resolve(answer).then((awaited) => proceed(next, () => load(arrival, awaited)), next);
  return false;
}

function load(arrival: Arrival, answer: unknown): boolean {
  const { next, mounted, mount } = arrival;
  const session = toResolvedSession(answer);
  if (mounted && isServed(mounted, mount, session)) return true;
  if (!session) return enterWithout(arrival, toMissingSession(mount.session, arrival.req, answer));
  mount.missingSessions.found(arrival.req);
  mount.access.load(session.id, {
    onLoaded: (storedLabels) => proceed(next, () => open(arrival, session, storedLabels)),
    onLoadFailed: (error) => proceed(next, () => refuse(arrival, session, error)),
  });
  return false;
}

/** Lets a request without a session go on, or refuses it. */
function enterWithout(arrival: Arrival, session: MissingSession): boolean {
  const { res, mounted, mount } = arrival;
  if (mount.sessionless === 'allow') return open(arrival, session, []);
  const request = mounted ?? new SessionRequest(arrival, session, []);
  request.reliesOnSession();
  if (!res.headersSent) request.deny(SESSION_REQUIRED, mount.denial);
  return false;
}

function open(arrival: Arrival, session: ResolvedSession | MissingSession, storedLabels: readonly string[]): true {
  attachSecurity(arrival.req, new SessionRequest(arrival, session, storedLabels));
  return true;
}

function refuse(arrival: Arrival, session: ResolvedSession, error: unknown): false {
  raiseLoadFailure(arrival.req, arrival.mount.access, session, error);
  // an earlier middleware, a timeout for example, may have answered while we waited
  if (!arrival.res.headersSent) new SessionRequest(arrival, session, []).deny(LOAD_FAILED);
  return false;
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

function raiseLoadFailure(req: Request, { raise }: StoreAccess, session: ResolvedSession, error: unknown): void {
  raise({
    alarm: 'session_store_failure',
    op: 'load',
    route: routeName(req, [session.id]),
    error: errorText(error, [session.id]),
    ...codeOf(error),
  });
}
