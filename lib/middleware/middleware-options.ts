import Joi from 'joi';
import type { AlarmListener, AlarmLogger } from '../contract/alarms.js';
import { AplSessionError } from '../contract/errors.js';
import { parseOptions } from '../contract/parse-options.js';
import type { SessionStore, SessionStoreFactory } from '../contract/session-store.js';
import { DEFAULT_MAX_LABELS_PER_SESSION } from '../labels/label-limit.js';
import type { LabelLimits } from '../labels/store-access.js';
import { type DenialOption, type DenialRenderer, parseDenial } from '../response/denial.js';
import { sendProblem } from '../response/problem-denial.js';
import type { SessionResolver } from '../session/resolved-session.js';
import { MemorySessionStore } from '../stores/memory-session-store.js';
import { buildSessionStore, isSessionStore, type SessionStoreBlock } from '../stores/session-store-registry.js';
import { defaultLogger } from './alarm-sink.js';

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
export interface Settings {
  readonly session: SessionResolver;
  readonly sessionless: 'allow' | 'deny';
  readonly store: SessionStore;
  /** Whether the store was made here, so that `close()` ends it. */
  readonly ownsStore: boolean;
  readonly storeTimeoutMs: number;
  readonly limits: LabelLimits;
  readonly denial: DenialRenderer;
  readonly logger: AlarmLogger;
  readonly onAlarm: AlarmListener | undefined;
}

type StoreOptions = Pick<
  AplSessionOptions,
  'store' | 'storeFactories' | 'storeTimeoutMs' | 'maxLabelsPerSession' | 'maxKnownSessions'
>;
type StoreSettings = Pick<Settings, 'store' | 'ownsStore' | 'storeTimeoutMs' | 'limits'>;

const DEFAULT_STORE_TIMEOUT_MS = 1_000;
const DEADLINE_MARGIN_MS = 50;
const DEFAULT_MAX_SESSIONS = 100_000;
/** The longest that a timer of Node can wait. */
export const MAX_TIMER_MS = 2_147_483_647;

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
  const { session, denial, logger = defaultLogger() } = options;
  const { sessionless, onAlarm } = parsed;
  return {
    session,
    sessionless,
    ...storeSettings('aplSessionMiddleware', options),
    denial: denial === undefined ? sendProblem : parseDenial('aplSessionMiddleware', denial),
    logger,
    onAlarm,
  };
}

/**
 * The store that checked options ask for, its deadline and its limit.
 * @throws AplSessionError `config.*`
 */
export function storeSettings(what: string, options: StoreOptions): StoreSettings {
  const { store: given, storeFactories = [] } = options;
  assertFactories(what, storeFactories);
  const ownsStore = !isSessionStore(given);
  const store = ownsStore ? makeStore(given, storeFactories) : given;
  const limits = {
    maxLabelsPerSession: options.maxLabelsPerSession ?? limitOf(what, store),
    maxKnownSessions: options.maxKnownSessions ?? DEFAULT_MAX_SESSIONS,
  };
  return { store, ownsStore, storeTimeoutMs: options.storeTimeoutMs ?? defaultTimeoutMs(what, store), limits };
}

function makeStore(block: unknown, factories: readonly SessionStoreFactory[]): SessionStore {
  return block === undefined ? new MemorySessionStore() : buildSessionStore(block, factories);
}

function defaultTimeoutMs(what: string, { deadlineMs }: SessionStore): number {
  if (deadlineMs === undefined) return DEFAULT_STORE_TIMEOUT_MS;
  if (Number.isFinite(deadlineMs) && deadlineMs > 0 && deadlineMs + DEADLINE_MARGIN_MS <= MAX_TIMER_MS) {
    return deadlineMs + DEADLINE_MARGIN_MS;
  }
  throw new AplSessionError(
    'config.invalid',
    `${what}: the store's deadlineMs must be a number of milliseconds above 0 that a timer can take; got ${deadlineMs}.`,
  );
}

function limitOf(what: string, { maxLabelsPerSession = DEFAULT_MAX_LABELS_PER_SESSION }: SessionStore): number {
  if (Number.isSafeInteger(maxLabelsPerSession) && maxLabelsPerSession >= 1) return maxLabelsPerSession;
  throw new AplSessionError(
    'config.invalid',
    `${what}: the store's maxLabelsPerSession must be an integer of at least 1; got ${maxLabelsPerSession}.`,
  );
}

function assertFactories(what: string, factories: readonly SessionStoreFactory[]): void {
  for (const factory of factories as readonly (Partial<SessionStoreFactory> | null)[]) {
    if (typeof factory?.kind === 'string' && typeof factory.build === 'function') continue;
    throw new AplSessionError(
      'config.invalid',
      `${what}: 'storeFactories' must hold SessionStoreFactory objects: { kind, build(block) }.`,
    );
  }
  const kinds = factories.map(({ kind }) => kind);
  if (new Set(kinds).size === kinds.length) return;
  throw new AplSessionError('config.invalid', `${what}: two storeFactories have the same kind; keep one.`);
}

export function loggerLike(value: unknown, { error }: Joi.CustomHelpers): unknown {
  const logger = value as Partial<AlarmLogger> | null;
  return typeof logger?.warn === 'function' && typeof logger.error === 'function'
    ? value
    : error('any.custom', { error: new Error('warn and error must be functions') });
}
