import type { Request, RequestHandler } from 'express';
import type { SessionStore } from '../contract/session-store.js';
import { alarmedIfNotPersisted } from '../known-sessions/alarmed-failure.js';
import { BackgroundMember } from '../known-sessions/background-member.js';
import { StoreAccess } from '../known-sessions/store-access.js';
import { assertGateableRuntime } from '../node/runtime-check.js';
import { invalidConfig } from '../options/invalid-config.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { keptAlive } from '../util/kept-alive.js';
import { ignoreRejection } from '../util/maybe-promise.js';
import { NextTurn } from '../util/next-turn.js';
import { Arrival } from './arrival.js';
import type { Mount } from './exchange.js';
import { type AplSessionOptions, parseMiddlewareOptions } from './middleware-options.js';
import { MissingSessions } from './missing-sessions.js';
import { quarantineSession } from './quarantine-session.js';
import { MountTrace } from './request-trace.js';
import { securityProperty, sessionRequestOf, shareSecurity } from './session-security.js';

/** The middleware, with methods to start and stop it. */
export interface AplSessionMiddleware extends RequestHandler {
  /**
   * Connects to the store, and makes one call there. Await it before `listen()`; otherwise the first requests wait for the
   * connection, and get 403 if that takes too long. You may call it again. If it rejects, you may start the app nevertheless:
   * requests with a session are denied until the store can be reached.
   *
   * @throws the error of the store, for example an AplSessionError `store.unavailable`, `store.login_failed` or
   * `store.certificate_untrusted`; AplSessionError `store.timeout` after `storeTimeoutMs`
   *
   * @example
   * await aplSession.ready();
   * app.listen(3000);
   */
  ready(): Promise<void>;

  /**
   * Waits for the appends in flight, retries labels whose append has failed, and then closes the store if the middleware has
   * built it: from a block, or by default. Does not close a store that you have made. Call it when the server has closed.
   *
   * @example
   * server.close(async () => {
   *   await aplSession.close();
   *   await store.close(); // only a store that you have made
   * });
   */
  close(): Promise<void>;

  /**
   * Creates middleware that enrols the session of a request: it loads the labels as this middleware does, and stores the mark
   * of an enrolled session before the handlers run. Mount it before this middleware, on the route on which a session begins. The server must have
   * chosen the session id: a client that can choose it could enrol a session again that the store has lost.
   *
   * @param isStart whether a request begins its session; all other requests pass. Without it, every request enrols its session.
   *
   * @example
   * const aplSession = aplSessionMiddleware({ session, sessions: 'enrolled' });
   * app.post('/login', aplSession.enroll());
   * app.use(aplSession);
   */
  enroll(isStart?: (req: Request) => boolean): RequestHandler;

  /**
   * Adds a label to a session from outside, for example from a route for administrators. Requests of the session that are in
   * flight in this process get the label at once, and their responses are held until it is stored; guards that have run are not
   * run again. Every request that starts after the promise has resolved meets the label, on every node. This cannot be undone.
   *
   * @param sessionId the id in `req.security.sessionId`
   * @throws AplSessionError `session.invalid`; `label.invalid`; `session.capacity_exceeded`; `session.persist_failed` if the label
   * could not be stored: an alarm was raised then, and this process refuses the requests of the session and tries again
   *
   * @example
   * app.post('/admin/quarantine', requireAdmin, async (req, res) => {
   *   await aplSession.quarantine(req.body.sessionId, 'quarantined');
   *   res.sendStatus(204);
   * });
   */
  quarantine(sessionId: string, label: string): Promise<void>;

  /** The store of this middleware, for `healthHandler()`, `status()` and `check()`. */
  readonly store: SessionStore;
}

/**
 * Creates Express middleware that loads the labels of the request's session into `req.security.labels`, and persists the
 * labels that the request adds before any byte of the response leaves.
 *
 * If the load fails, the answer is 403 `session.load_failed`, and no handler runs. If persisting fails, every response that
 * is not a denial becomes 403 `session.persist_failed`; if bytes have left already, the connection is cut. The option
 * `unavailable` replaces these two answers, for example by a 503.
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
  const { session, sessionless, sessions, store, ownsStore, denial, unavailable, requestId, alarms, onEvent } =
    settings;
  assertGateableRuntime();
  const access = new StoreAccess(settings, alarms);
  store.onAlarm?.(alarms.raise);

  const missingSessions = new MissingSessions(alarms);
  const trace = new MountTrace(alarms.events, onEvent);
  trace.mounted(settings, sessionless);
  const property = securityProperty();
  const mount: Mount = {
    access,
    session,
    sessionless,
    sessions,
    missingSessions,
    denial,
    unavailable,
    trace,
    requestId,
    property,
  };
  const nextTurn = new NextTurn();
  const middleware: RequestHandler = (req, res, next) => {
    const mounted = sessionRequestOf(req);
    // the same middleware was mounted earlier, and has found the session
    if (mounted?.sessionId !== undefined && mounted.access === access) {
      shareSecurity(req, property);
      next();
    } else {
      const arrival = new Arrival(req, res, next, mount, mounted);
      nextTurn.wait().then(() => arrival.enter());
    }
  };
  return Object.assign(middleware, {
    enroll(isStart: (req: Request) => boolean = () => true): RequestHandler {
      assertPredicate(isStart);
      return (req, res, next) => {
        if (!isTrue(isStart(req))) {
          next();
          return;
        }
        // may throw, so not in the callback
        const mounted = sessionRequestOf(req);
        nextTurn.wait().then(() => new Arrival(req, res, next, mount, mounted, true).enter());
      };
    },
    quarantine: (sessionId: string, label: string) =>
      alarmedIfNotPersisted(keptAlive(() => quarantineSession(access, sessionId, label))),
    store,
    ready: () => keptAlive(() => access.ready()),
    close(): Promise<void> {
      return keptAlive(async () => {
        await access.idle();
        await persistOwed(access);
        // labels that were added in the meantime
        await access.idle();
        alarms.flush();
        if (ownsStore) await store.close?.();
      });
    },
  });
}

/** `app.post('/login', aplSession.enroll)`, uncalled, would pass a request. */
function assertPredicate(isStart: unknown): void {
  if (typeof isStart === 'function') return;
  throw invalidConfig(
    'enroll',
    "call it: app.post('/login', aplSession.enroll()); its parameter is a function of the request",
  );
}

/** A promise counts as true in JavaScript, so an async function would enrol every request. */
function isTrue(answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer;
  ignoreRejection(answer);
  throw invalidConfig('enroll', `the function must return true or false; it returned ${kindOfValue(answer)}`);
}

/** Retries once more before the store is closed. */
async function persistOwed(access: StoreAccess): Promise<void> {
  await access.sessions.persistOwed((session) =>
    BackgroundMember.forOwed(access, session, 'aplSessionMiddleware.close()'),
  );
}
