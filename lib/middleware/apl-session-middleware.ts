import type { RequestHandler } from 'express';
import { BackgroundMember } from '../labels/background-member.js';
import { StoreAccess } from '../labels/store-access.js';
import { assertGateableRuntime } from '../node/runtime-check.js';
import { keptAlive } from '../util/kept-alive.js';
import { NextTurn } from '../util/next-turn.js';
import { Arrival } from './arrival.js';
import type { Mount } from './exchange.js';
import { type AplSessionOptions, parseMiddlewareOptions } from './middleware-options.js';
import { MissingSessions } from './missing-sessions.js';
import { MountTrace } from './request-trace.js';
import { sessionRequestOf, shareSecurity } from './session-security.js';

/** The middleware, with a method that ends its work. */
export interface AplSessionMiddleware extends RequestHandler {
  /**
   * Waits for the appends in flight, retries labels whose append has failed, and then closes the store if the middleware has
   * built it from a block. Call it after `server.close()`.
   */
  close(): Promise<void>;
}

/**
 * Creates Express middleware that loads the labels of the request's session into `req.security.labels`, and persists the
 * labels that the request adds before any byte of the response leaves.
 *
 * If the load fails, the answer is 403 `session.load_failed`, and no handler runs. If persisting fails, every response that
 * is not a denial becomes 403 `session.persist_failed`; if bytes have left already, the connection is cut.
 *
 * @throws AplSessionError `config.*` for invalid options; `runtime.unsupported` on a version of Node whose responses cannot be
 * held back
 *
 * @example
 * app.use(aplSessionMiddleware({ session: subjectSession({ subject: subjectOf }) }));
 * app.get('/salaries', taint('secret'), (_req, res) => res.json({ engineer: 98_000 }));
 * const violation = { code: 'session_tainted', reason: 'session touched secret data' };
 * app.post('/mail', denyIf('secret', violation), (_req, res) => res.send('sent'));
 */
export function aplSessionMiddleware(options: AplSessionOptions): AplSessionMiddleware {
  const settings = parseMiddlewareOptions(options);
  const { session, sessionless, store, ownsStore, denial, alarms } = settings;
  assertGateableRuntime();
  const access = new StoreAccess(settings, alarms);
  store.onAlarm?.(alarms.raise);

  const trace = new MountTrace();
  trace.mounted(settings, sessionless);
  const mount: Mount = { access, session, sessionless, missingSessions: new MissingSessions(alarms), denial, trace };
  const nextTurn = new NextTurn();
  const middleware: RequestHandler = (req, res, next) => {
    const mounted = sessionRequestOf(req);
    // the same middleware was mounted earlier, and has found the session
    if (mounted?.sessionId !== undefined && mounted.access === access) {
      shareSecurity(req);
      next();
    } else nextTurn.wait().then(() => new Arrival(req, res, next, mount, mounted).enter());
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

/** Retries once more before the store is closed. */
async function persistOwed(access: StoreAccess): Promise<void> {
  await access.sessions.persistOwed((session) =>
    BackgroundMember.forOwed(access, session, 'aplSessionMiddleware.close()'),
  );
}
