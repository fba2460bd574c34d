import { AplSessionError } from '../../../contract/errors.js';
import { clearTimeout, now, setTimeout } from '../../../util/clock.js';
import { type ConnectionFailure, noConnection } from '../protocol/store-error.js';
import type { ValkeyWire } from '../protocol/valkey-wire.js';
import { ConnectionWaiters } from './connection-waiters.js';
import { openWire } from './open-wire.js';
import type { ValkeyLink } from './valkey-link.js';
import type { ValkeySource } from './valkey-source.js';

const MIN_ATTEMPT_MS = 2_000;
const MAX_BACKOFF_MS = 250;
/** Where somebody has to mend a password or a certificate first. */
const MAX_REFUSED_BACKOFF_MS = 2_000;

export interface ConnectionListener {
  onConnected(wire: ValkeyWire): void;
  /** A connection was lost, or could not be made. */
  onTrouble?(): void;
}

/**
 * One connection that is made at first use and remade whenever it is lost, each time with the login of that moment. A
 * call that finds no connection waits for one at most `connectTimeoutMs`, and a call whose connection is lost fails.
 */
export class ValkeyConnection implements ValkeyLink {
  readonly #source: ValkeySource;
  readonly #connectTimeoutMs: number;
  readonly #listener: ConnectionListener;
  readonly #waiters = new ConnectionWaiters();
  #state: 'idle' | 'connecting' | 'ready' | 'pausing' | 'closed' = 'idle';
  /** The connection that is ready. */
  #wire: ValkeyWire | undefined;
  #attempt: AbortController | undefined;
  #failedAttempts = 0;
  #pause: NodeJS.Timeout | undefined;
  /** Why there is no connection. */
  #failure: ConnectionFailure | undefined;

  constructor(source: ValkeySource, connectTimeoutMs: number, listener: ConnectionListener) {
    this.#source = source;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#listener = listener;
  }

  wireNow(): ValkeyWire | undefined {
    return this.#wire?.open ? this.#wire : undefined;
  }

  async wire(): Promise<ValkeyWire> {
    const deadline = now() + this.#connectTimeoutMs;
    const failed = (): AplSessionError => noConnection(this.#connectTimeoutMs, this.#failure);
    // a connection may be lost between its announcement and the moment this goes on, hence the loop
    for (;;) {
      if (this.#isClosed()) throw closed();
      const wire = this.wireNow();
      if (wire) return wire;
      // a pause of this process may have used the time up, but not that of the server
      const leftMs = deadline - now();
      if (leftMs <= 0) throw failed();
      this.start();
      await this.#waiters.wait(leftMs, failed);
    }
  }

  /** Why there is no connection, if that is known. */
  get failure(): ConnectionFailure | undefined {
    return this.#failure;
  }

  /** Begins to connect, unless that was begun. */
  start(): void {
    if (this.#state === 'idle') void this.#connect();
  }

  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#pause);
    this.#attempt?.abort();
    this.#wire?.giveUp('The store was closed.');
    this.#wire = undefined;
    this.#waiters.rejectAll(closed());
  }

  /** One attempt; a failed one is followed by the next. */
  async #connect(): Promise<void> {
    this.#state = 'connecting';
    this.#attempt = new AbortController();
    const opened = await openWire(this.#source, {
      timeoutMs: Math.max(MIN_ATTEMPT_MS, this.#connectTimeoutMs),
      signal: this.#attempt.signal,
      onLost: (failure) => this.#lose(failure),
    });
    this.#attempt = undefined;
    if ('failure' in opened) return this.#lose(opened.failure);
    // it may be gone again, and that was told
    if (!opened.open) return;
    if (this.#isClosed()) return opened.giveUp('The store was closed.');
    this.#state = 'ready';
    this.#failedAttempts = 0;
    this.#failure = undefined;
    this.#wire = opened;
    this.#listener.onConnected(opened);
    this.#waiters.resolveAll();
  }

  /** There is no connection any more, or still none. */
  #lose(failure: ConnectionFailure | undefined): void {
    this.#wire = undefined;
    if (this.#isClosed()) return;
    this.#state = 'pausing';
    this.#failure = failure;
    this.#failedAttempts += 1;
    const refused = failure !== undefined && failure.code !== 'store.unavailable';
    const longestMs = refused ? MAX_REFUSED_BACKOFF_MS : MAX_BACKOFF_MS;
    const delayMs = Math.min(10 * 2 ** this.#failedAttempts, longestMs) * (0.5 + Math.random() / 2);
    this.#pause = setTimeout(() => void this.#connect(), delayMs);
    this.#listener.onTrouble?.();
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }
}

export function closed(): AplSessionError {
  return new AplSessionError('store.closed', 'ValkeySessionStore is closed.');
}
