import type { AlarmListener } from './alarms.js';

/**
 * Where the labels of sessions live. Two operations, and "unknown" never shares a path with "failed": an unknown
 * session is an empty result, every failure is a rejected promise.
 *
 * Required of an implementation:
 * - `appendLabels` is one atomic union (never read-modify-write), idempotent, and resolves only when the labels
 *   would be seen by a load that starts now, on any node;
 * - both calls settle in bounded time; the middleware has a deadline of its own and takes a late answer for a failure.
 *
 * Optional members add to that: `close` and `onAlarm`.
 */
export interface SessionStore {
  /** The session's labels; empty for a session that was never written. Rejects on any failure. */
  loadLabels(sessionId: string): Promise<Iterable<string>>;

  /** Adds `labels` to the session. An empty list is a no-op that does not touch the backend. */
  appendLabels(sessionId: string, labels: readonly string[]): Promise<void>;

  /** Stops what the store itself started (timers, connections). Later calls reject with `store.closed`. */
  close?(): Promise<void>;

  /**
   * The longest that one call may take by the store's own deadlines, in milliseconds. The middleware derives its
   * `storeTimeoutMs` from this where it is not set.
   */
  readonly deadlineMs?: number;

  /** Called once by each middleware that uses the store: where alarms that only the store can see should go. */
  onAlarm?(listener: AlarmListener): void;
}

/** Builds a store from the block `store: { kind, ... }`. `memory` is built in. */
export interface SessionStoreFactory {
  /** The value of `kind` that selects this factory. */
  readonly kind: string;

  /**
   * Makes the store from the whole block, `kind` included. Must validate it and throw on anything it does not
   * understand; must not connect to anything yet.
   */
  build(block: Readonly<Record<string, unknown>>): SessionStore;
}
