import Joi from 'joi';
import { AlarmReporter } from '../alarms/alarm-reporter.js';
import type { AlarmListener, AlarmLogger } from '../contract/alarms.js';
import { AplSessionError } from '../contract/errors.js';
import type { SessionStore, SessionStoreFactory } from '../contract/session-store.js';
import { EventStream } from '../events/event-stream.js';
import { KnownSessions } from '../known-sessions/known-sessions.js';
import { sharedOptions } from '../middleware/middleware-options.js';
import { parseOptions } from '../options/parse-options.js';
import { type ResolvedSession, type SessionAnswer, toResolvedSession } from '../session/resolved-session.js';
import { MemorySessionStore } from '../stores/memory-session-store.js';
import type { SessionStoreBlock } from '../stores/session-store-registry.js';
import { type StoreSettings, storeSettings } from '../stores/store-settings.js';

export interface OpenSessionOptions {
  /**
   * The result of a resolver: an id or `{ id, source }`, bound to an authenticated subject. `openSession` rejects with
   * `session.required` for a result without a session.
   */
  readonly session: SessionAnswer;

  /**
   * The store; usually the instance that `aplSessionMiddleware` uses. A block makes a new store, which `close()` closes: use it
   * in a process that opens one session.
   */
  readonly store: SessionStore | SessionStoreBlock;

  /**
   * As for `aplSessionMiddleware`: with `enrolled`, `openSession` rejects with `session.unknown` for any other session.
   * @default 'any'
   */
  readonly sessions?: 'any' | 'enrolled';

  /** Factories for the `kind` of a store block. */
  readonly storeFactories?: readonly SessionStoreFactory[];

  /**
   * As for `aplSessionMiddleware`, in milliseconds.
   * @default the store's `deadlineMs` + 50, else 1000
   */
  readonly storeTimeoutMs?: number;

  /**
   * As for `aplSessionMiddleware`.
   * @default the store's `maxLabelsPerSession`, else 1000
   */
  readonly maxLabelsPerSession?: number;

  /**
   * As for `aplSessionMiddleware`.
   * @default 100000
   */
  readonly maxKnownSessions?: number;

  /**
   * Receives alarms, as for `aplSessionMiddleware`. All open sessions of a store with the same logger share their lines.
   * @default winston, JSON lines on standard error
   */
  readonly logger?: AlarmLogger;

  /**
   * As for `aplSessionMiddleware`, in milliseconds.
   * @default 10000
   */
  readonly logIntervalMs?: number;

  /** Receives every alarm, as a frozen object. Its errors are ignored. */
  readonly onAlarm?: AlarmListener;

  /**
   * The `route` in alarms, for example `chat socket`.
   * @default 'openSession'
   */
  readonly name?: string;
}

export interface OpenSessionSettings extends StoreSettings {
  readonly session: ResolvedSession;
  readonly sessions: 'any' | 'enrolled';
  readonly alarms: AlarmReporter;
  readonly name: string;
}

/** Open sessions may be many and short, so they have one name together. */
const EVENTS = new EventStream('openSession');

type Defaults = Required<Pick<OpenSessionOptions, 'name' | 'sessions' | 'logIntervalMs'>>;

const schema = Joi.object<OpenSessionOptions & Defaults>({
  session: Joi.any(),
  store: Joi.any().required(),
  name: Joi.string().default('openSession'),
  sessions: Joi.string().valid('any', 'enrolled').default('any'),
  ...sharedOptions,
});

/** @throws AplSessionError `config.*`, `session.invalid`, `session.required` */
export function parseOpenSessionOptions(options: OpenSessionOptions): OpenSessionSettings {
  const { name, sessions, onAlarm, logIntervalMs } = parseOptions('openSession', schema, options);
  const session = requiredSession(options.session);
  // not from parseOptions(): joi copies objects, but stores and loggers must keep their identity
  const settings = storeSettings('openSession', options);
  if (settings.ownsStore && settings.store instanceof MemorySessionStore) {
    throw new AplSessionError(
      'config.invalid',
      'openSession: a new memory store has no labels of this session. Pass the MemorySessionStore that the app uses.',
    );
  }
  const alarms = new AlarmReporter({
    logger: options.logger,
    onAlarm,
    logIntervalMs,
    shared: KnownSessions.of(settings.store).alarms,
    events: EVENTS,
  });
  return { ...settings, session, sessions, alarms, name };
}

function requiredSession(answer: unknown): ResolvedSession {
  const session = toResolvedSession(answer);
  if (session) return session;
  throw new AplSessionError(
    'session.required',
    'openSession: the session has no id, so its labels cannot be loaded or stored. Check the result of the resolver first.',
  );
}
