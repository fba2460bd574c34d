import Joi from 'joi';
import { AplSessionError } from '../contract/errors.js';
import type { LabelOrigin } from '../contract/provenance.js';
import type { SessionStore } from '../contract/session-store.js';
import { parseOptions } from '../options/parse-options.js';
import { MemorySessionStore } from '../stores/memory-session-store.js';
import { isSessionStore } from '../stores/session-store-registry.js';
import { SwitchableCalls } from './switchable-calls.js';

/** A call of a store: `load` is `loadLabels()`, `append` is `appendLabels()`. */
export type StoreOperation = 'load' | 'append';

/** One call that the store has received. */
export interface StoreCall {
  readonly operation: StoreOperation;
  readonly sessionId: string;
  /** The labels of an append; empty for a load. */
  readonly labels: readonly string[];
}

export interface ControllableStoreOptions {
  /**
   * The `deadlineMs` of the store, in milliseconds. The middleware waits 50 ms longer, unless it has `storeTimeoutMs`. A short
   * deadline makes the test of a store that hangs fast.
   * @default the `deadlineMs` of the inner store
   */
  readonly deadlineMs?: number;
}

/**
 * A store that fails, hangs or is slow while a test wants it to. A call that is pending when the behaviour of its operation
 * changes continues with the new behaviour, so nothing hangs after `restore()`.
 */
export interface ControllableStore extends SessionStore {
  /** Every call since the store was made, oldest first, including those that failed. */
  readonly calls: readonly StoreCall[];

  /**
   * Calls of the operation reject, and do not reach the inner store. `ready()` and `ping()` behave like a load.
   * @param error what they reject with
   * @default an AplSessionError with the code `store.unavailable`
   */
  fail(operation: StoreOperation, error?: unknown): void;

  /** Calls of the operation are pending until the behaviour changes. Then they reach the inner store. */
  hang(operation: StoreOperation): void;

  /** Calls of the operation reach the inner store after this time, in real milliseconds, also with fake timers. */
  delay(operation: StoreOperation, ms: number): void;

  /** Calls of the operation work again; without an operation, all calls do. */
  restore(operation?: StoreOperation): void;

  /** Resolves with the oldest call of the operation that hangs, as soon as there is one. */
  hanging(operation: StoreOperation): Promise<StoreCall>;

  /** Restores all calls, then closes the inner store. */
  close(): Promise<void>;
}

const schema = Joi.object<ControllableStoreOptions>({ deadlineMs: Joi.number().greater(0) });

/**
 * Makes a store whose calls a test can let fail, hang or take longer. By default it keeps the labels in a new
 * `MemorySessionStore`.
 *
 * @example
 * import { controllableStore } from 'express-apl-session/testing';
 * const store = controllableStore();
 * app.use(aplSessionMiddleware({ session: subjectSession({ subject: subjectOf }), store }));
 * store.fail('append'); // the next response with a new label is a 403
 * store.restore();
 *
 * @param inner the store that keeps the labels
 * @throws AplSessionError `config.invalid` if `inner` is not a store, or for invalid options
 */
export function controllableStore(
  inner: SessionStore = new MemorySessionStore(),
  options: ControllableStoreOptions = {},
): ControllableStore {
  const { deadlineMs = inner?.deadlineMs } = parseOptions('controllableStore', schema, options);
  if (!isSessionStore(inner)) {
    throw new AplSessionError(
      'config.invalid',
      'controllableStore: the first argument must be a SessionStore, for example new MemorySessionStore(). A block { kind } is not a store.',
    );
  }
  return new ControlledStore(inner, deadlineMs);
}

const PING: StoreCall = Object.freeze({ operation: 'load', sessionId: '', labels: Object.freeze([]) });

class ControlledStore implements ControllableStore {
  readonly calls: StoreCall[] = [];
  readonly deadlineMs?: number;
  readonly maxLabelsPerSession?: number;
  readonly ttlSeconds?: number;
  readonly provenance?: boolean;
  readonly explain?: NonNullable<SessionStore['explain']>;
  readonly check?: NonNullable<SessionStore['check']>;
  readonly status?: NonNullable<SessionStore['status']>;
  readonly onAlarm?: NonNullable<SessionStore['onAlarm']>;
  readonly onReconnect?: NonNullable<SessionStore['onReconnect']>;
  readonly ping?: NonNullable<SessionStore['ping']>;
  readonly #inner: SessionStore;
  readonly #operations = { load: new SwitchableCalls<StoreCall>(), append: new SwitchableCalls<StoreCall>() };

  constructor(inner: SessionStore, deadlineMs: number | undefined) {
    this.#inner = inner;
    const { maxLabelsPerSession, ttlSeconds, provenance } = inner;
    if (deadlineMs !== undefined) this.deadlineMs = deadlineMs;
    if (maxLabelsPerSession !== undefined) this.maxLabelsPerSession = maxLabelsPerSession;
    if (ttlSeconds !== undefined) this.ttlSeconds = ttlSeconds;
    if (provenance !== undefined) this.provenance = provenance;
    if (inner.explain) this.explain = inner.explain.bind(inner);
    if (inner.check) this.check = inner.check.bind(inner);
    if (inner.status) this.status = inner.status.bind(inner);
    // a ping answers whether a load would work; it is no call of the app, so it is not recorded
    if (inner.ping) this.ping = () => this.#operations.load.pass(PING).then(() => inner.ping?.() ?? 0);
    if (inner.onAlarm) this.onAlarm = inner.onAlarm.bind(inner);
    if (inner.onReconnect) this.onReconnect = inner.onReconnect.bind(inner);
  }

  /** Behaves like a load, as a `ping()`, also if the inner store needs no connection. */
  async ready(): Promise<void> {
    await this.#operations.load.pass(PING);
    await this.#inner.ready?.();
  }

  async loadLabels(sessionId: string): Promise<Iterable<string>> {
    await this.#pass({ operation: 'load', sessionId, labels: [] });
    return this.#inner.loadLabels(sessionId);
  }

  async appendLabels(
    sessionId: string,
    labels: readonly string[],
    origins?: ReadonlyMap<string, LabelOrigin>,
  ): Promise<void> {
    const copy = Object.freeze([...labels]);
    await this.#pass({ operation: 'append', sessionId, labels: copy });
    await (origins ? this.#inner.appendLabels(sessionId, copy, origins) : this.#inner.appendLabels(sessionId, copy));
  }

  fail(operation: StoreOperation, error: unknown = unavailable(operation)): void {
    this.#of(operation).behave({ kind: 'fail', error });
  }

  hang(operation: StoreOperation): void {
    this.#of(operation).behave({ kind: 'hang' });
  }

  delay(operation: StoreOperation, ms: number): void {
    if (!Number.isFinite(ms) || ms < 0) {
      throw new AplSessionError('config.invalid', 'controllableStore: delay() needs a number of milliseconds.');
    }
    this.#of(operation).behave({ kind: 'delay', ms });
  }

  restore(operation?: StoreOperation): void {
    const restored = operation === undefined ? Object.values(this.#operations) : [this.#of(operation)];
    for (const calls of restored) calls.behave({ kind: 'work' });
  }

  hanging(operation: StoreOperation): Promise<StoreCall> {
    return this.#of(operation).hanging();
  }

  async close(): Promise<void> {
    this.restore();
    await this.#inner.close?.();
  }

  #pass(call: StoreCall): Promise<void> {
    this.calls.push(Object.freeze(call));
    return this.#operations[call.operation].pass(call);
  }

  #of(operation: StoreOperation): SwitchableCalls<StoreCall> {
    if (Object.hasOwn(this.#operations, operation)) return this.#operations[operation];
    throw new AplSessionError('config.invalid', "controllableStore: the operation must be 'load' or 'append'.");
  }
}

function unavailable(operation: StoreOperation): AplSessionError {
  return new AplSessionError('store.unavailable', `The test lets every ${operation} of this store fail.`);
}
