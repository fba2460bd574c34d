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
 * The other members are optional.
 */
export interface SessionStore {
  /** The session's labels; empty for a session that was never written. Rejects on any failure. */
  loadLabels(sessionId: string): Promise<Iterable<string>>;

  /** Adds `labels` to the session. An empty list is a no-op that does not touch the backend. */
  appendLabels(sessionId: string, labels: readonly string[]): Promise<void>;

  /** Stops what the store itself started (timers, connections). Later calls reject with `store.closed`. */
  close?(): Promise<void>;

  /**
   * Looks at whether the backend is fit to keep labels: one finding for each thing that was looked at. Rejects only if
   * the backend cannot be asked at all. What it finds is never a reason to refuse a request.
   */
  check?(): Promise<readonly StoreFinding[]>;

  /**
   * The longest that one call may take by the store's own deadlines, in milliseconds. The middleware derives its
   * `storeTimeoutMs` from this where it is not set.
   */
  readonly deadlineMs?: number;

  /**
   * How many labels a session may have. A load that finds more and an append of more reject with `store.too_many_labels`.
   * The middleware takes its `maxLabelsPerSession` from this where it is not set.
   */
  readonly maxLabelsPerSession?: number;

  /**
   * Seconds after the last load or append at which the store forgets a session; absent or `undefined`: never. A store that
   * forgets must say so: a label that was acknowledged less than five minutes ago, and that a load does not return, is
   * taken for lost and appended again.
   */
  readonly ttlSeconds?: number | undefined;

  /** Called once by each middleware that uses the store: where alarms that only the store can see should go. */
  onAlarm?(listener: AlarmListener): void;
}

/** One thing that a store looked at in its backend. */
export interface StoreFinding {
  /** What was looked at, for example `eviction_policy`. */
  readonly name: string;
  /** `unknown`: the backend does not tell, as managed services often do not. */
  readonly status: 'ok' | 'warning' | 'unknown';
  /** What was found, in words. */
  readonly detail: string;
  /** What to do about it; absent if there is nothing to do. */
  readonly fix?: string;
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
