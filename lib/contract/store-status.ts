import type { AplSessionErrorCode } from './errors.js';

/** One result of `SessionStore.check()`. */
export interface StoreFinding {
  /** The name of the check, for example `eviction_policy`. */
  readonly name: string;
  /** `unknown`: the backend does not tell; managed services often do not. */
  readonly status: 'ok' | 'warning' | 'unknown';
  /** The result as text. */
  readonly detail: string;
  /** How to mend it; absent if nothing needs to be done. */
  readonly fix?: string;
}

/** The state of a store, from `SessionStore.status()`. It holds hosts and ports, but no credential, session id or label. */
export interface StoreStatus {
  /**
   * Whether the store has a connection to every primary. A server that hangs is noticed by the next call or `ping()`. A store
   * that needs no connection is connected until it is closed.
   */
  readonly connected: boolean;
  /** Since when `connected` has this value: ISO 8601, UTC. */
  readonly since: string;
  readonly topology?: StoreTopology;
  /** The primary as `host:port`, or each primary of a cluster; empty while the store does not know any. */
  readonly primaries?: readonly string[];
  /** The addresses in the options, as `host:port`. */
  readonly addresses?: readonly string[];
  /** Absent for a store that cannot have a circuit breaker. */
  readonly circuit?: StoreCircuit;
  /** The last call or connection that has failed. It stays when the store has recovered; compare `at`. */
  readonly lastFailure?: StoreStatusFailure;
  /**
   * The result of the last append that the backend has answered; absent before the first one. Loads can work while appends fail,
   * for example when the backend has no memory left.
   */
  readonly lastAppend?: 'ok' | 'failed';
  /** The answered calls of the last minute. */
  readonly latency?: StoreLatency;
  /** The results of the last self-check of each primary; empty before the first one. */
  readonly findings?: readonly StoreFinding[];
}

export type StoreTopology = 'memory' | 'single' | 'sentinel' | 'cluster';

/**
 * `off`: there is no circuit breaker. `closed`: normal operation. `open`: calls are refused. `half_open`: one call goes through
 * as a probe, or the next call will.
 */
export type StoreCircuit = 'off' | 'closed' | 'open' | 'half_open';

export interface StoreStatusFailure {
  readonly code: AplSessionErrorCode;
  readonly reason: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** How long the backend took to answer, in milliseconds. The percentiles are at most a fifth too high. */
export interface StoreLatency {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}
