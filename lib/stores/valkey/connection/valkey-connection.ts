import { AsyncResource } from 'node:async_hooks';
import { clearTimeout, now, setTimeout } from '../../../util/clock.js';
import type { ConnectionFailure } from '../protocol/store-error.js';
import type { ValkeyAsker, ValkeyWire } from '../protocol/valkey-wire.js';
import { ConnectionWaiters } from './connection-waiters.js';
import { type ConnectionStep, openWire } from './open-wire.js';
import type { LinkedServer, OnTrouble, ValkeyLink } from './valkey-link.js';
import type { ValkeySource } from './valkey-source.js';

const MIN_ATTEMPT_MS = 2_000;
const MAX_BACKOFF_MS = 250;
/** The longest backoff if an operator must correct a password or a certificate first. */
const MAX_REFUSED_BACKOFF_MS = 2_000;
/** A connection that has lasted this long resets the backoff, even if no call used it. */
const STABLE_MS = 1_000;

export interface ConnectionListener {
  onConnected(wire: ValkeyWire): void;
  /** Called when a connection was lost or an attempt failed. */
  readonly onTrouble?: OnTrouble;
  /** Makes what calls use; the connection itself by default. */
  callsOn?(wire: ValkeyWire): ValkeyAsker;
}

/**
 * One connection. It is opened at the first call and reopened whenever it is lost, each time with the current login. A
 * call without a connection waits for one at most `connectTimeoutMs`; a call whose connection is lost fails.
 */
export class ValkeyConnection implements ValkeyLink {
  readonly #source: ValkeySource;
  readonly #attemptTimeoutMs: number;
  readonly #listener: ConnectionListener;
  readonly #waiters: ConnectionWaiters;
  /** Sockets, timers and callbacks must not run in the asynchronous context of the request that needs them first. */
  readonly #context = new AsyncResource('express-apl-session.connection');
  #state: 'idle' | 'connecting' | 'ready' | 'pausing' | 'closed' = 'idle';
  /** Set in the state `ready`. */
  #wire: ValkeyWire | undefined;
  /** Calls use this. Set in the state `ready`. */
  #calls: ValkeyAsker | undefined;
  #readyAtMs = 0;
  #attempt: AbortController | undefined;
  /** What the attempt in flight waits for. */
  #step: ConnectionStep | undefined;
  #failedAttempts = 0;
  #backoff: NodeJS.Timeout | undefined;
  #failure: ConnectionFailure | undefined;

  constructor(source: ValkeySource, connectTimeoutMs: number, listener: ConnectionListener) {
    this.#source = source;
    this.#attemptTimeoutMs = Math.max(MIN_ATTEMPT_MS, connectTimeoutMs);
    this.#listener = listener;
    this.#waiters = new ConnectionWaiters(connectTimeoutMs);
  }

  wireNow(): ValkeyAsker | undefined {
    return this.#wire?.open ? this.#calls : undefined;
  }

  /** The connection without what `callsOn` adds, for requests that are not calls. */
  bareWireNow(): ValkeyWire | undefined {
    return this.#wire?.open ? this.#wire : undefined;
  }

  wire(): Promise<ValkeyAsker> {
    const find = (): ValkeyAsker | undefined => {
      this.start();
      return this.wireNow();
    };
    return this.#waiters.waitFor(find, () => this.#failure ?? this.#wait());
  }

  /** The first attempt may take longer than a call waits. */
  #wait(): ConnectionFailure | undefined {
    if (this.#step === undefined) return undefined;
    return { code: 'store.unavailable', reason: `still waiting for ${this.#step}` };
  }

  /** Why there is no connection, if that is known. */
  get failure(): ConnectionFailure | undefined {
    return this.#failure;
  }

  primaries(): readonly LinkedServer[] {
    return [{ address: this.#source.address?.(), connected: this.wireNow() !== undefined }];
  }

  /** Opens the connection. Does nothing after the first call. */
  start(): void {
    if (this.#state === 'idle') this.#context.runInAsyncScope(() => void this.#connect());
  }

  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#backoff);
    this.#attempt?.abort();
    this.#wire?.giveUp('The store was closed.');
    this.#wire = undefined;
    this.#source.close?.();
    this.#waiters.close();
  }

  /** One attempt. After a failure the next one follows. */
  async #connect(): Promise<void> {
    this.#state = 'connecting';
    this.#attempt = new AbortController();
    const opened = await openWire(this.#source, {
      timeoutMs: this.#attemptTimeoutMs,
      signal: this.#attempt.signal,
      onStep: (step) => {
        this.#step = step;
      },
      onLost: (failure) => this.#context.runInAsyncScope(() => this.#onLost(failure)),
    });
    this.#attempt = undefined;
    this.#step = undefined;
    if ('failure' in opened) return this.#onLost(opened.failure);
    // already lost again; onLost was called
    if (!opened.open) return;
    if (this.#isClosed()) return opened.giveUp('The store was closed.');
    this.#state = 'ready';
    this.#readyAtMs = now();
    this.#failure = undefined;
    this.#wire = opened;
    this.#calls = this.#listener.callsOn?.(opened) ?? opened;
    this.#listener.onConnected(opened);
    this.#waiters.notifyAll();
  }

  /** A connection was lost, or an attempt failed. */
  #onLost(failure: ConnectionFailure | undefined): void {
    // a server that accepts connections and closes them again must not reset the backoff
    const wasStable = this.#wire && (this.#wire.answered || now() - this.#readyAtMs >= STABLE_MS);
    this.#wire = undefined;
    if (this.#isClosed()) return;
    this.#state = 'pausing';
    this.#failure = failure;
    this.#failedAttempts = wasStable ? 1 : this.#failedAttempts + 1;
    const refused = failure !== undefined && failure.code !== 'store.unavailable';
    const longestMs = refused ? MAX_REFUSED_BACKOFF_MS : MAX_BACKOFF_MS;
    const delayMs = Math.min(10 * 2 ** this.#failedAttempts, longestMs) * (0.5 + Math.random() / 2);
    this.#backoff = setTimeout(() => void this.#connect(), delayMs);
    this.#listener.onTrouble?.(failure);
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }
}
