import type { Request, RequestHandler, Response } from 'express';
import { answerDenial, problemDenial, snapshotHeaders } from '../response/denial.js';
import { assertGateable, assertGateableRuntime } from '../response/node-response.js';
import { type SessionResolver, toResolvedSession } from '../session/resolved-session.js';
import { alarmSink, errorText } from './alarm-sink.js';
import { type AplSessionOptions, parseMiddlewareOptions } from './middleware-options.js';
import { routeName } from './route-name.js';
import { attachSecurity, SessionSecurity, securityOf } from './session-security.js';
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
    if (securityOf(req)) next();
    else enter(req, res, access, session).then((entered) => entered && next(), next);
  };
  return Object.assign(middleware, {
    async close(): Promise<void> {
      await Promise.all(access.appending);
      if (ownsStore) await store.close?.();
    },
  });
}

/** Resolves and loads the session. Whether the request goes on; if not, it was answered. Rejects if the resolver does. */
async function enter(req: Request, res: Response, access: StoreAccess, resolve: SessionResolver): Promise<boolean> {
  assertGateable(res);
  const headersAtEntry = snapshotHeaders(res);
  const session = toResolvedSession(await resolve(req));
  let storedLabels: readonly string[] = [];
  if (session) {
    try {
      storedLabels = await loadLabels(access, session.id);
    } catch (error) {
      access.raise({
        alarm: 'session_store_failure',
        op: 'load',
        route: routeName(req),
        error: errorText(error, [session.id]),
        ...codeOf(error),
      });
      // an earlier middleware, a timeout for example, may have answered while we waited
      if (!res.headersSent) answerDenial(res, problemDenial(LOAD_FAILED), headersAtEntry);
      return false;
    }
  }
  attachSecurity(req, new SessionSecurity(req, res, access, { session, storedLabels, headersAtEntry }));
  return true;
}
