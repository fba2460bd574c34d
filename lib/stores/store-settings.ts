import type { SessionStore, SessionStoreFactory } from '../contract/session-store.js';
import type { StoreBounds } from '../known-sessions/store-access.js';
import { DEFAULT_MAX_LABELS_PER_SESSION } from '../labels/label-limit.js';
import { invalidConfig } from '../options/invalid-config.js';
import { MemorySessionStore } from './memory-session-store.js';
import { buildSessionStore, isSessionStore, type SessionStoreBlock } from './session-store-registry.js';
import { assertStoreMembers } from './store-members.js';

/** The store options that the middleware and `openSession` share. */
interface StoreOptions {
  readonly store?: SessionStore | SessionStoreBlock;
  readonly storeFactories?: readonly SessionStoreFactory[];
  readonly storeTimeoutMs?: number;
  readonly maxKnownSessions?: number;
  readonly maxLabelsPerSession?: number;
}

/** The store with its deadline and its limits. */
export interface StoreSettings extends StoreBounds {
  /** Whether `close()` must close the store: true unless the app passed a ready store. */
  readonly ownsStore: boolean;
}

const DEFAULT_STORE_TIMEOUT_MS = 1_000;
const DEADLINE_MARGIN_MS = 50;
const DEFAULT_MAX_SESSIONS = 100_000;
/** The longest delay of a Node timer. */
export const MAX_TIMER_MS = 2_147_483_647;

/**
 * Takes or builds the store that the validated options name, and finds its deadline and limits.
 * @throws AplSessionError `config.*`
 */
export function storeSettings(what: string, options: StoreOptions): StoreSettings {
  const { store: given, storeFactories = [] } = options;
  assertFactories(what, storeFactories);
  const ownsStore = !isSessionStore(given);
  const store = ownsStore ? makeStore(given, storeFactories) : given;
  assertStoreMembers(what, store);
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
  throw invalidConfig(what, `the store's deadlineMs is ${deadlineMs}; it must be above 0 and fit in a Node timer`);
}

function limitOf(what: string, { maxLabelsPerSession = DEFAULT_MAX_LABELS_PER_SESSION }: SessionStore): number {
  if (Number.isSafeInteger(maxLabelsPerSession) && maxLabelsPerSession >= 1) return maxLabelsPerSession;
  throw invalidConfig(
    what,
    `the store's maxLabelsPerSession is ${maxLabelsPerSession}; it must be an integer of at least 1`,
  );
}

function assertFactories(what: string, factories: readonly SessionStoreFactory[]): void {
  for (const factory of factories as readonly (Partial<SessionStoreFactory> | null)[]) {
    if (typeof factory?.kind === 'string' && typeof factory.build === 'function') continue;
    throw invalidConfig(what, "'storeFactories' must be a list of SessionStoreFactory objects: { kind, build(block) }");
  }
  const kinds = factories.map(({ kind }) => kind);
  if (new Set(kinds).size === kinds.length) return;
  throw invalidConfig(what, 'two storeFactories have the same kind; keep one of them');
}
