import type { AlarmListener } from './alarms.js';
import type { LabelOrigin, SessionExplanation } from './provenance.js';
import type { StoreFinding, StoreStatus } from './store-status.js';

/**
 * Keeps the labels of sessions. An implementation must follow these rules:
 * - An unknown session has an empty result. Every failure is a rejected promise; never return an empty result for it.
 * - `appendLabels` is one atomic, idempotent union, never a read followed by a write. It resolves only when every later load,
 *   on any node, returns the labels.
 * - Both calls settle in bounded time. The middleware has its own deadline, after which the call counts as failed.
 *
 * @example
 * class TableStore implements SessionStore {
 *   async loadLabels(sessionId: string) {
 *     return db.column('select label from labels where session = $1', [sessionId]);
 *   }
 *   async appendLabels(sessionId: string, labels: readonly string[]) {
 *     if (labels.length === 0) return;
 *     await db.run('insert into labels select $1, unnest($2::text[]) on conflict do nothing', [sessionId, labels]);
 *   }
 * }
 */
export interface SessionStore {
  /** Returns the session's labels; empty for an unknown session. Rejects on any failure. */
  loadLabels(sessionId: string): Promise<Iterable<string>>;

  /**
   * Adds labels to the session. Must not call the backend for an empty list.
   * @param origins how labels of the list were added. The middleware passes them only to a store with `provenance`. A store that
   * keeps no origins ignores them
   */
  appendLabels(sessionId: string, labels: readonly string[], origins?: ReadonlyMap<string, LabelOrigin>): Promise<void>;

  /**
   * Whether the store keeps the first origin of each label. It must keep them with the labels: a failure to keep an origin must
   * not make labels fail or vanish.
   * @default false
   */
  readonly provenance?: boolean;

  /**
   * For operators: the labels of a session with their first origins. Rejects like a load, and does not renew a TTL. Only for a
   * store with `provenance`.
   */
  explain?(sessionId: string): Promise<SessionExplanation>;

  /**
   * Connects to the backend, and makes one cheap call there, so that the first load need not wait for a connection. Rejects
   * with the error that a load would have. May be called again, also after it has failed. Leave it out if the store needs no
   * connection. The middleware calls it in its own `ready()`, with the deadline of a load.
   */
  ready?(): Promise<void>;

  /** Stops the timers and connections that the store has started. Later calls reject with `store.closed`. */
  close?(): Promise<void>;

  /**
   * Checks whether the backend can keep labels safely. Rejects only if it cannot reach the backend. A finding never denies a
   * request. A warning that was raised as an alarm before is not raised again, unless `repeatAlarms` is true.
   */
  check?(options?: StoreCheckOptions): Promise<readonly StoreFinding[]>;

  /** The state of the store as it is known now. Must be cheap: no I/O. It never throws. */
  status?(): StoreStatus;

  /**
   * Probes the backend once, with the permissions of a load. Resolves with the time that this took, in milliseconds; rejects
   * with the error that a load would have. It raises no alarm, and does not change how calls of requests are treated.
   */
  ping?(): Promise<number>;

  /**
   * The longest time that one call can take, in milliseconds. The default of the middleware's `storeTimeoutMs` is 50 ms more.
   */
  readonly deadlineMs?: number;

  /**
   * How many labels a session may have. A load of more, or an append of more, rejects with `store.too_many_labels`. It is the
   * default of the middleware's `maxLabelsPerSession`.
   */
  readonly maxLabelsPerSession?: number;

  /**
   * How many seconds after the last load or append the store deletes a session; `undefined` for never. A store that deletes
   * sessions must set it: if a load does not return a label that was acknowledged within the last five minutes, the middleware
   * appends the label again.
   */
  readonly ttlSeconds?: number | undefined;

  /**
   * Called once for the store. The store must call the listener when its calls may reach a server with other data: after a
   * reconnect, and when another server has become the primary. Labels that were stored within the last five minutes are
   * then appended again.
   */
  onReconnect?(listener: () => void): void;

  /** Called once by each middleware that uses the store. The store must report its own alarms to the listener. */
  onAlarm?(listener: AlarmListener): void;
}

/** The options of `SessionStore.check()`. */
export interface StoreCheckOptions {
  /**
   * Whether to raise the alarm of every warning, also of those that were raised before.
   * @default false
   */
  readonly repeatAlarms?: boolean;
}

/** Builds a store from a block `store: { kind, ... }`. The kind `memory` is built in. */
export interface SessionStoreFactory {
  /** The `kind` of the blocks that this factory builds. */
  readonly kind: string;

  /**
   * Makes the store from the whole block, including `kind`. Must throw for unknown keys and invalid values. Must not connect
   * to the backend yet.
   */
  build(block: Readonly<Record<string, unknown>>): SessionStore;
}
