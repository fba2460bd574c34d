import Joi from 'joi';
import { AlarmReporter } from '../alarms/alarm-reporter.js';
import { loggerLike } from '../alarms/logger.js';
import type { AlarmListener, AlarmLogger } from '../contract/alarms.js';
import type { SessionStore, SessionStoreFactory } from '../contract/session-store.js';
import { type DenialOption, type DenialRenderer, parseDenial } from '../denial/denial.js';
import { sendProblem } from '../denial/problem-denial.js';
import type { SessionResolver } from '../session/resolved-session.js';
import type { SessionStoreBlock } from '../stores/session-store-registry.js';
import { MAX_TIMER_MS, type StoreSettings, storeSettings } from '../stores/store-settings.js';
import { parseOptions } from '../util/parse-options.js';

export interface AplSessionOptions {
  /** Finds the session of a request; required. See `subjectSession` for ids that clients choose. */
  readonly session: SessionResolver;

  /**
   * What becomes of a request without a session. `allow`, the default, lets it go on, with labels that end with the
   * request; `deny` answers 403 `session.required` before any handler. Both raise `session_missing`, `allow` only where
   * labels or guards are concerned.
   */
  readonly sessionless?: 'allow' | 'deny';

  /** A store, or a block that describes one. Default: a new `MemorySessionStore`. */
  readonly store?: SessionStore | SessionStoreBlock;

  /** Factories for store kinds other than `memory`. */
  readonly storeFactories?: readonly SessionStoreFactory[];

  /**
   * How long one store call may take before it counts as failed, in milliseconds. Default: the store's own
   * `deadlineMs` and 50 more, or 1,000 for a store that names none.
   */
  readonly storeTimeoutMs?: number;

  /**
   * How many sessions of the store this process uses at a time, those included whose labels could not be stored yet. A
   * request of one more is refused with `session.capacity_exceeded`. Default 100,000.
   */
  readonly maxKnownSessions?: number;

  /**
   * How many labels a session may have: a load that finds more, and an append beyond it, fail closed with
   * `store.too_many_labels`. Default: the store's own `maxLabelsPerSession`, or 1,000 for a store that names none.
   */
  readonly maxLabelsPerSession?: number;

  /**
   * How violations are answered: a status, headers and a body, or a renderer. Default: 403 with problem details (RFC 9457),
   * or a short page for a client that prefers HTML. A guard may have its own.
   */
  readonly denial?: DenialOption;

  /** Where alarms are logged; anything with `warn` and `error`. Default: winston, JSON lines on standard error. */
  readonly logger?: AlarmLogger;

  /** Receives every alarm, the same object as the logger. What it throws changes nothing. */
  readonly onAlarm?: AlarmListener;
}

/** What the middleware works with. */
export interface Settings extends StoreSettings {
  readonly session: SessionResolver;
  readonly sessionless: 'allow' | 'deny';
  readonly denial: DenialRenderer;
  readonly alarms: AlarmReporter;
}

const schema = Joi.object<AplSessionOptions & Required<Pick<AplSessionOptions, 'sessionless'>>>({
  session: Joi.function().required(),
  sessionless: Joi.string().valid('allow', 'deny').default('allow'),
  store: Joi.any(),
  storeFactories: Joi.array(),
  storeTimeoutMs: Joi.number().integer().min(1).max(MAX_TIMER_MS),
  maxLabelsPerSession: Joi.number().integer().min(1),
  maxKnownSessions: Joi.number().integer().min(1),
  denial: Joi.any(),
  logger: Joi.any().custom(loggerLike),
  onAlarm: Joi.function(),
});

/** @throws AplSessionError `config.*` */
export function parseMiddlewareOptions(options: AplSessionOptions): Settings {
  const parsed = parseOptions('aplSessionMiddleware', schema, options);
  // joi copies objects, and a store, logger or factory must stay the object that it is
  const { session, denial, logger } = options;
  const { sessionless, onAlarm } = parsed;
  return {
    session,
    sessionless,
    ...storeSettings('aplSessionMiddleware', options),
    denial: denial === undefined ? sendProblem : parseDenial('aplSessionMiddleware', denial),
    alarms: new AlarmReporter(logger, onAlarm),
  };
}
