import type { Request, RequestHandler, Response } from 'express';
import { AplSessionError } from '../contract/errors.js';
import { answerDenial, problemDenial, snapshotHeaders } from '../response/denial.js';
import { assertGateable, assertGateableRuntime } from '../response/node-response.js';
import {
  isPromiseLike,
  type ResolvedSession,
  type SessionResolver,
  toResolvedSession,
} from '../session/resolved-session.js';
import { alarmSink, errorText } from './alarm-sink.js';
import { type AplSessionOptions, parseMiddlewareOptions } from './middleware-options.js';
import { routeName } from './route-name.js';
import { attachSecurity, type Mounted, mountedOn, SessionSecurity } from './session-security.js';
import { codeOf, loadLabels, type StoreAccess } from './store-access.js';
import { LOAD_FAILED } from './violations.js';

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
  const { session, store, ownsStore, storeTimeoutMs, logger, onAlarm } = parseMiddlewareOptions(options);
  assertGateableRuntime();
  const access: StoreAccess = { store, storeTimeoutMs, raise: alarmSink(logger, onAlarm), appending: new Set() };
  store.onAlarm?.(access.raise);

  const middleware: RequestHandler = (req, res, next) => {
    enter(req, res, access, session).then((entered) => entered && next(), next);
  };
  return Object.assign(middleware, {
    async close(): Promise<void> {
      // the deadlines of appends under way do not keep the process alive, and their alarms must not be lost
      const alive = setInterval(() => {}, 1_000);
      try {
        while (access.appending.size > 0) await Promise.all(access.appending);
        if (ownsStore) await store.close?.();
      } finally {
        clearInterval(alive);
      }
    },
  });
}

/** Resolves and loads the session. Whether the request goes on; if not, it was answered. Rejects if the resolver does. */
async function enter(req: Request, res: Response, access: StoreAccess, resolve: SessionResolver): Promise<boolean> {
  const mounted = mountedOn(req);
  if (mounted?.access === access && mounted.security.sessionId !== undefined) return true;
  assertGateable(res);
  const headersAtEntry = snapshotHeaders(res);
  const answer = resolve(req);
  const session = toResolvedSession(isPromiseLike(answer) ? await answer : answer);
  if (mounted && isServed(mounted, access, session)) return true;
  let storedLabels: readonly string[] = [];
  if (session) {
    try {
      storedLabels = await loadLabels(access, session.id);
    } catch (error) {
      raiseLoadFailure(req, access, session, error);
      // an earlier middleware, a timeout for example, may have answered while we waited
      if (!res.headersSent) answerDenial(res, problemDenial(LOAD_FAILED), headersAtEntry);
      return false;
    }
  }
  const security = new SessionSecurity(req, res, access, { session, storedLabels, headersAtEntry });
  attachSecurity(req, { security, access });
  return true;
}

/**
 * Whether what an earlier mount has found serves this one as well: the same session in the same store, or no session
 * now. If the earlier mount found no session (it was mounted before the authentication, for example), this one takes over.
 * @throws AplSessionError `middleware.conflict` for two sessions, or one session in two stores
 */
function isServed(mounted: Mounted, { store }: StoreAccess, session: ResolvedSession | undefined): boolean {
  const { sessionId } = mounted.security;
  if (session === undefined) return true;
  if (sessionId === undefined) return false;
  if (mounted.access.store === store && sessionId === session.id) return true;
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
