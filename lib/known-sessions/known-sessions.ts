import { StoreAlarms } from '../alarms/store-alarms.js';
import type { AlarmListener } from '../contract/alarms.js';
import { AplSessionError } from '../contract/errors.js';
import type { SessionStore } from '../contract/session-store.js';
import { microtask, now } from '../util/clock.js';
import type { TimedCall } from '../util/deadlines.js';
import { KnownSession, type SessionOwner } from './known-session.js';
import { RepeatedAppends } from './repeated-appends.js';
import type { SessionMember } from './session-member.js';

/** How long acknowledged labels are remembered after the last use of their session. */
const MEMORY_MS = 300_000;
/** Nine tenths of a second of the TTL: at its very end, a missing label may have expired. */
const TTL_SHARE_MS = 900;
/** The shortest and longest pause before a failed append is retried. The pause doubles with each failure. */
const MIN_RETRY_MS = 1_000;
const MAX_RETRY_MS = 300_000;
/** How many sessions that are not in use are remembered. */
const MAX_RECENT = 10_000;

/**
 * Shared by all copies of this package in a process, so that they know the same sessions. Raise the number with every change of
 * the members of `KnownSessions` and `KnownSession`.
 */
const kStores = Symbol.for('express-apl-session.known-sessions.3');
type Shared = { [kStores]?: WeakMap<SessionStore, KnownSessions> };

/** When the labels of a session may be appended again without a request of that session. */
interface Retry {
  readonly failures: number;
  readonly dueMs: number;
}

/** The sessions of one store that are in use, or were used lately, in this process. They only add to the result of a load, and never replace it. */
export class KnownSessions implements SessionOwner {
  readonly store: SessionStore;
  readonly alarms: StoreAlarms;
  readonly memoryMs: number;
  readonly #inUse = new Map<string, KnownSession>();
  /** Sessions that are not in use and have labels to remember, in the order of their last use. */
  readonly #recent = new Map<string, KnownSession>();
  /** Not a new iterator for each session: it would pass over all entries that were deleted before. */
  readonly #oldestFirst = this.#recent.keys();
  /** Sessions with labels whose append has failed. The first one is retried next. */
  readonly #owing = new Map<KnownSession, Retry>();
  #hasAlarmListener = false;
  #repeats: RepeatedAppends | undefined;
  readonly #collected = new FinalizationRegistry<() => void>((leave) => leave());

  private constructor(store: SessionStore) {
    this.store = store;
    this.alarms = new StoreAlarms(store);
    const { ttlSeconds } = store;
    this.memoryMs = Math.min(MEMORY_MS, ttlSeconds === undefined ? MEMORY_MS : ttlSeconds * TTL_SHARE_MS);
  }

  /** Returns the one object for this store. */
  static of(store: SessionStore): KnownSessions {
    const shared = globalThis as Shared;
    if (!shared[kStores]) Object.defineProperty(shared, kStores, { value: new WeakMap() });
    const stores = shared[kStores] as WeakMap<SessionStore, KnownSessions>;
    let sessions = stores.get(store);
    if (!sessions) {
      sessions = new KnownSessions(store);
      stores.set(store, sessions);
    }
    return sessions;
  }

  /** The same for reconnects of the store: appends the labels again that were stored lately. */
  repeatAppendsAfterReconnect(append: (call: TimedCall<void>) => void): void {
    if (this.#repeats) return;
    const repeats = new RepeatedAppends(append);
    this.#repeats = repeats;
    const start = (): void => repeats.start([...this.#inUse.values(), ...this.#recent.values()]);
    // the connection takes no calls yet
    this.store.onReconnect?.(() => microtask(start));
  }

  /** Subscribes to the alarms of the store, once for all callers. */
  onStoreAlarm(listener: AlarmListener): void {
    if (!this.#hasAlarmListener) this.store.onAlarm?.(listener);
    this.#hasAlarmListener = true;
  }

  /**
   * Adds a member to a session.
   * @param maxSessions how many sessions may be in use, or have labels that are not stored yet
   * @throws AplSessionError `session.capacity_exceeded`
   */
  join(id: string, member: SessionMember, maxSessions: number): KnownSession {
    const session = this.#inUse.get(id) ?? this.#begin(id, member, maxSessions);
    session.join(member);
    return session;
  }

  #begin(id: string, member: SessionMember, maxSessions: number): KnownSession {
    if (this.#inUse.size >= maxSessions) {
      this.#retryOwed(member);
      throw new AplSessionError(
        'session.capacity_exceeded',
        `${maxSessions} sessions are in use or have labels that are not stored yet, and maxKnownSessions allows no more. Raise it if this is normal load.`,
      );
    }
    const recent = this.#recent.get(id);
    if (recent) this.#recent.delete(id);
    const session = recent ?? new KnownSession(id, this);
    this.#inUse.set(id, session);
    return session;
  }

  /** Calls `leave` when `holder` was garbage-collected. */
  leaveWith(holder: object, leave: () => void): void {
    this.#collected.register(holder, leave);
  }

  /** Tries once more to append the unacknowledged labels of all sessions. */
  async persistOwed(memberOf: (session: KnownSession) => SessionMember): Promise<void> {
    const owing = [...this.#inUse.values()].filter(({ unacknowledged }) => unacknowledged);
    await Promise.allSettled(owing.map((session) => session.persist(memberOf(session))));
  }

  /** An append has succeeded, so the store accepts labels again: retries the next session whose append has failed. */
  onTried(session: KnownSession, by: SessionMember): void {
    if (session.owes) {
      this.#owing.set(session, nextRetry(this.#owing.get(session)));
      return;
    }
    this.#owing.delete(session);
    this.#retryOwed(by);
  }

  /** Retries one session if it is due. If that succeeds, the next one follows. */
  #retryOwed(member: SessionMember): void {
    for (const [session, retry] of this.#owing) {
      // moves to the back, so that a session that always fails does not block the others
      this.#owing.delete(session);
      this.#owing.set(session, retry);
      if (now() >= retry.dueMs) session.persist(member.forOwed(session)).catch(() => {});
      return;
    }
  }

  revive(session: KnownSession): KnownSession {
    const { id } = session;
    const inUse = this.#inUse.get(id);
    if (inUse) return inUse;
    const known = this.#recent.get(id) ?? session;
    this.#recent.delete(id);
    this.#inUse.set(id, known);
    return known;
  }

  retire(session: KnownSession): void {
    // a member that has left may refer to an older object of the session
    if (this.#inUse.get(session.id) !== session) return;
    this.#inUse.delete(session.id);
    if (!session.memorable) return;
    this.#recent.set(session.id, session);
    if (this.#recent.size > MAX_RECENT) this.#recent.delete(this.#oldestFirst.next().value as string);
  }
}

/** The first retry is due at once. */
function nextRetry(last: Retry | undefined): Retry {
  if (!last) return { failures: 0, dueMs: 0 };
  const waitMs = Math.min(MIN_RETRY_MS * 2 ** last.failures, MAX_RETRY_MS);
  return { failures: last.failures + 1, dueMs: now() + waitMs };
}
