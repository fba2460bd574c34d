import type { Request } from 'express';
import Joi, { type SchemaMap } from 'joi';
import { AlarmReporter } from '../alarms/alarm-reporter.js';
import { loggerLike } from '../alarms/logger.js';
import type { AlarmListener, AlarmLogger } from '../contract/alarms.js';
import type { SessionEventListener } from '../contract/events.js';
import type { SessionStore, SessionStoreFactory } from '../contract/session-store.js';
import { type DenialOption, type DenialRenderer, parseDenial } from '../denial/denial.js';
import { sendProblem } from '../denial/problem-denial.js';
import { EventStream } from '../events/event-stream.js';
import { KnownSessions } from '../known-sessions/known-sessions.js';
import { assertCalled } from '../options/assert-called.js';
import { invalidConfig } from '../options/invalid-config.js';
import { parseOptions } from '../options/parse-options.js';
import { defaultRequestId, type RequestId } from '../provenance/request-id.js';
import type { SessionResolver } from '../session/resolved-session.js';
import type { SessionStoreBlock } from '../stores/session-store-registry.js';
import { MAX_TIMER_MS, type StoreSettings, storeSettings } from '../stores/store-settings.js';

export interface AplSessionOptions {
  /** Finds the session of a request. Use `subjectSession` if clients choose the session id. */
  readonly session: SessionResolver;

  /**
   * How to treat a request without a session. `allow`: it goes on, and its labels last until its end; the alarm
   * `session_missing` is raised when it adds a label, reads the labels or passes a guard. `deny`: it is answered with 403
   * `session.required` before any handler runs, and the alarm is raised.
   * @default 'allow'
   */
  readonly sessionless?: 'allow' | 'deny';

  /**
   * Which sessions are accepted. `any`: every session; one that the store does not know has no labels. `enrolled`: only
   * sessions that `enroll()` of the middleware has enrolled, and that the store still has. All others are denied with
   * `session.unknown`, so a store that was emptied or has lost a session cannot make it clean.
   * @default 'any'
   */
  readonly sessions?: 'any' | 'enrolled';

  /**
   * A store, or a block `{ kind, ... }` that describes one.
   * @default a new `MemorySessionStore`
   */
  readonly store?: SessionStore | SessionStoreBlock;

  /** Factories for blocks of other kinds than `memory`. */
  readonly storeFactories?: readonly SessionStoreFactory[];

  /**
   * A store call fails after this time, in milliseconds.
   * @default the store's `deadlineMs` + 50, else 1000
   */
  readonly storeTimeoutMs?: number;

  /**
   * How many sessions of the store this process may use at a time, including those whose labels could not be stored yet. A
   * request of another session is denied; the alarm has the code `session.capacity_exceeded`.
   * @default 100000
   */
  readonly maxKnownSessions?: number;

  /**
   * How many labels a session may have. A load of more, or an append beyond it, fails with `store.too_many_labels`.
   * @default the store's `maxLabelsPerSession`, else 1000
   */
  readonly maxLabelsPerSession?: number;

  /**
   * How denials are answered: a status, headers and a body, or a renderer. A guard's own `denial` option takes precedence.
   * @default 403 with problem details (RFC 9457), or a short page for a client that prefers HTML
   */
  readonly denial?: DenialOption;

  /**
   * How requests are answered that are denied because of the store: with `session.load_failed` (also beyond
   * `maxKnownSessions`) or `session.persist_failed`. Has the form of `denial`, and takes precedence over the `denial` of the
   * middleware and of guards.
   *
   * The status stays 403 unless you set another one. An agent or a proxy may repeat a request by itself after a 503, also one
   * whose handler has run.
   * @default the `denial` option
   * @example { status: 503, headers: { 'Retry-After': '1' } }
   */
  readonly unavailable?: DenialOption;

  /**
   * Returns the id of a request, which the store keeps with the labels that the request adds first. Needs a store with
   * `provenance`. An id must have 1 to 128 visible ASCII characters without spaces; any other, or an error, means no id. A client
   * may choose the header `x-request-id` unless a proxy replaces it.
   * @default `req.id`, which pino-http and others set
   * @example requestId: (req) => req.get('x-request-id')
   */
  readonly requestId?: (req: Request) => string | undefined;

  /**
   * Receives alarms, as lines: the first one of a kind at once, then one line per `logIntervalMs` that counts those that
   * followed, and one line when a failure is over.
   * @default winston, JSON lines on standard error
   */
  readonly logger?: AlarmLogger;

  /**
   * How long alarms of one kind are counted before the logger gets a line about them, in milliseconds.
   * @default 10000
   */
  readonly logIntervalMs?: number;

  /** Receives every alarm, as a frozen object. Its errors are ignored. */
  readonly onAlarm?: AlarmListener;

  /**
   * Receives steps of requests with the id of the session and with labels, as frozen objects: for an audit log that may have them. It
   * is called synchronously, for each request. Its errors are ignored. Channels, alarms and log lines never have them.
   * @default none: no code gets them
   * @example onEvent: ({ event, route, sessionId, labels }) => audit.write({ event, route, sessionId, labels })
   */
  readonly onEvent?: SessionEventListener;
}

export interface Settings extends StoreSettings {
  readonly session: SessionResolver;
  readonly sessionless: 'allow' | 'deny';
  readonly sessions: 'any' | 'enrolled';
  readonly denial: DenialRenderer;
  readonly unavailable: DenialRenderer | undefined;
  readonly requestId: RequestId;
  readonly alarms: AlarmReporter;
  readonly onEvent: SessionEventListener | undefined;
}

/** Options that `openSession` has as well. */
export const sharedOptions: SchemaMap = {
  storeFactories: Joi.array(),
  storeTimeoutMs: Joi.number().integer().min(1).max(MAX_TIMER_MS),
  maxLabelsPerSession: Joi.number().integer().min(1),
  maxKnownSessions: Joi.number().integer().min(1),
  logger: Joi.any().custom(loggerLike),
  logIntervalMs: Joi.number().integer().min(1).max(MAX_TIMER_MS).default(10_000),
  onAlarm: Joi.function(),
};

const schema = Joi.object<
  AplSessionOptions & Required<Pick<AplSessionOptions, 'sessionless' | 'sessions' | 'logIntervalMs'>>
>({
  // Express middleware has three parameters
  session: Joi.function().maxArity(2).required(),
  sessionless: Joi.string().valid('allow', 'deny').default('allow'),
  sessions: Joi.string().valid('any', 'enrolled').default('any'),
  store: Joi.any(),
  denial: Joi.any(),
  unavailable: Joi.any(),
  requestId: Joi.function(),
  onEvent: Joi.function(),
  ...sharedOptions,
});

const hints = {
  session:
    'Write session: subjectSession({ subject: (req) => req.auth?.sub }). For express-session, mount it with app.use() before, and add ...fromExpressSession() to these options.',
  storeFactories: 'Write storeFactories: [valkeySessionStoreFactory].',
};

/** @throws AplSessionError `config.*` */
export function parseMiddlewareOptions(options: AplSessionOptions): Settings {
  assertCalled('aplSessionMiddleware', options, 'app.use(aplSessionMiddleware({ session }))');
  const parsed = parseOptions('aplSessionMiddleware', schema, options, hints);
  // not from `parsed`: joi copies objects, but resolvers, stores and loggers must keep their identity
  const { session, denial, unavailable, requestId, logger } = options;
  const { sessionless, sessions, onAlarm, logIntervalMs } = parsed;
  const stores = storeSettings('aplSessionMiddleware', options);
  if (requestId && !stores.store.provenance) {
    throw invalidConfig(
      'aplSessionMiddleware',
      "'requestId' has no effect, because the store keeps no origins of labels; set provenance: true on the store",
    );
  }
  return {
    session,
    sessionless,
    sessions,
    ...stores,
    denial: denial === undefined ? sendProblem : parseDenial('aplSessionMiddleware', denial),
    unavailable:
      unavailable === undefined ? undefined : parseDenial('aplSessionMiddleware', unavailable, 'unavailable'),
    requestId: requestId ?? defaultRequestId,
    onEvent: parsed.onEvent,
    alarms: new AlarmReporter({
      logger,
      onAlarm,
      logIntervalMs,
      shared: KnownSessions.of(stores.store).alarms,
      events: new EventStream(),
    }),
  };
}
