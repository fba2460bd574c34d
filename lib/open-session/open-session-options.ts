import Joi from 'joi';
import { AlarmReporter } from '../alarms/alarm-reporter.js';
import { loggerLike } from '../alarms/logger.js';
import type { AlarmListener, AlarmLogger } from '../contract/alarms.js';
import { AplSessionError } from '../contract/errors.js';
import type { SessionStore, SessionStoreFactory } from '../contract/session-store.js';
import { type ResolvedSession, type SessionAnswer, toResolvedSession } from '../session/resolved-session.js';
import { MemorySessionStore } from '../stores/memory-session-store.js';
import type { SessionStoreBlock } from '../stores/session-store-registry.js';
import { MAX_TIMER_MS, type StoreSettings, storeSettings } from '../stores/store-settings.js';
import { parseOptions } from '../util/parse-options.js';

export interface OpenSessionOptions {
  /**
   * What a resolver returns: an id or `{ id, source }`, bound to an authenticated subject. A session is required:
   * nothing, as a resolver returns it for a request without one, rejects with `session.required`.
   */
  readonly session: SessionAnswer;

  /**
   * The store; required. Usually the instance that `aplSessionMiddleware` has, too. A block makes a store of its own, which
   * `close()` ends: for a process that opens one session.
   */
  readonly store: SessionStore | SessionStoreBlock;

  /** Factories for the kind of a store block. */
  readonly storeFactories?: readonly SessionStoreFactory[];

  /** As for `aplSessionMiddleware`, in milliseconds. Default: the store's own `deadlineMs` and 50 more, or 1,000. */
  readonly storeTimeoutMs?: number;

  /** As for `aplSessionMiddleware`. Default: the store's own `maxLabelsPerSession`, or 1,000. */
  readonly maxLabelsPerSession?: number;

  /** As for `aplSessionMiddleware`. Default 100,000. */
  readonly maxKnownSessions?: number;

  /** Where alarms are logged; anything with `warn` and `error`. Default: winston, JSON lines on standard error. */
  readonly logger?: AlarmLogger;

  /** Receives every alarm, the same object as the logger. What it throws changes nothing. */
  readonly onAlarm?: AlarmListener;

  /** Stands for the route in alarms, for example `chat socket`. Default: `openSession`. */
  readonly name?: string;
}

/** What `openSession` works with. */
export interface OpenSessionSettings extends StoreSettings {
  readonly session: ResolvedSession;
  readonly alarms: AlarmReporter;
  readonly name: string;
}

const schema = Joi.object<OpenSessionOptions & { name: string }>({
  session: Joi.any(),
  store: Joi.any().required(),
  storeFactories: Joi.array(),
  storeTimeoutMs: Joi.number().integer().min(1).max(MAX_TIMER_MS),
  maxLabelsPerSession: Joi.number().integer().min(1),
  maxKnownSessions: Joi.number().integer().min(1),
  logger: Joi.any().custom(loggerLike),
  onAlarm: Joi.function(),
  name: Joi.string().default('openSession'),
});

/** @throws AplSessionError `config.*`, `session.invalid`, `session.required` */
export function parseOpenSessionOptions(options: OpenSessionOptions): OpenSessionSettings {
  const { name, onAlarm } = parseOptions('openSession', schema, options);
  const session = requiredSession(options.session);
  // joi copies objects, and a store or logger must stay the object that it is
  const settings = storeSettings('openSession', options);
  if (settings.ownsStore && settings.store instanceof MemorySessionStore) {
    throw new AplSessionError(
      'config.invalid',
      'openSession: a memory store made for one session knows nothing of it. Pass the MemorySessionStore that all share.',
    );
  }
  return { ...settings, session, alarms: new AlarmReporter(options.logger, onAlarm), name };
}

function requiredSession(answer: unknown): ResolvedSession {
  const session = toResolvedSession(answer);
  if (session) return session;
  throw new AplSessionError(
    'session.required',
    'openSession: there is no session, so labels could neither be known nor kept. Refuse what has none before.',
  );
}
