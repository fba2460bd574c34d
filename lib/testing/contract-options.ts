import type { SessionStore } from '../contract/session-store.js';

/** Makes the backend of a store fail, for example by stopping its server. */
export interface StoreOutage {
  /** From now on the backend must fail for every store of the case. */
  start(): void | Promise<void>;
  /** From now on the backend must work again, with the labels that it had. Called at the end of the case in any case. */
  end(): void | Promise<void>;
}

/** Tests the `ttlSeconds` of a store. */
export interface SessionStoreTtl {
  /** Makes a store that deletes sessions after this many seconds. */
  open(ttlSeconds: number): SessionStore | Promise<SessionStore>;
  /**
   * Lets time pass for the backend.
   * @default waits this long; the case takes 2.4 s
   */
  elapse?(ms: number): void | Promise<void>;
}

export interface SessionStoreContractOptions {
  /**
   * Makes a store. A case calls it once for each process that the case needs, so all results must use the same backend. The suite
   * uses new session ids in each case, so the backend need not be empty. Each store is closed at the end of its case.
   */
  open(): SessionStore | Promise<SessionStore>;

  /**
   * The store keeps its labels in its own memory, so a case must not open two of them.
   * @default false
   */
  readonly singleProcess?: boolean;

  /** Runs the action and returns how often the backend was called meanwhile. */
  countBackendCalls?(action: () => Promise<void>): Promise<number>;

  /** How to make the backend fail. Every store with a backend outside its process should be tested with this option. */
  readonly outage?: StoreOutage;

  /** Required if the store has `ttlSeconds`. */
  readonly ttl?: SessionStoreTtl;

  /**
   * Must be true if the store has `maxLabelsPerSession`, and false if not.
   * @default false
   */
  readonly limit?: boolean;

  /**
   * Must be true if the store has `close()`, and false if not.
   * @default false
   */
  readonly close?: boolean;

  /**
   * Must be true if the store has `check()`, and false if not.
   * @default false
   */
  readonly check?: boolean;

  /**
   * Must be true if the store has `provenance` and `explain()`, and false if not.
   * @default false
   */
  readonly provenance?: boolean;
}
