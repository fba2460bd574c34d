import type { RequestHandler } from 'express';
import { BackgroundMember } from '../labels/background-member.js';
import { StoreAccess } from '../labels/store-access.js';
import { assertGateableRuntime } from '../node/runtime-check.js';
import { keptAlive } from '../util/kept-alive.js';
import { nextTurn } from '../util/next-turn.js';
import { Arrival } from './arrival.js';
import type { Mount } from './exchange.js';
import { type AplSessionOptions, parseMiddlewareOptions } from './middleware-options.js';
import { MissingSessions } from './missing-sessions.js';
import { sessionRequestOf, shareSecurity } from './session-security.js';

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
  const middleware: RequestHandler = (req, res, next) => {
    const mounted = sessionRequestOf(req);
    // the same middleware was mounted earlier, and has found the session
    if (mounted?.sessionId !== undefined && mounted.access === access) {
      shareSecurity(req);
      next();
    } else nextTurn().then(() => new Arrival(req, res, next, mount, mounted).enter());
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
  await access.sessions.persistOwed((session) =>
    BackgroundMember.forOwed(access, session, 'aplSessionMiddleware.close()'),
  );
}
