import { isIP } from 'node:net';
import ioredis, { type Redis } from 'ioredis';
import { withDeadline } from '../../contract/deadline.js';
import { AplSessionError } from '../../contract/errors.js';
import type { ValkeyConfig } from './valkey-config.js';

/** The one export that all versions of ioredis 5 and 6 have. */
const RedisClient = ioredis.default;

const MAX_BACKOFF_MS = 250;
const SOCKET_TIMEOUT_MS = 2_000;
const DISCONNECT_TIMEOUT_MS = 250;

/** A call that waits for the connection. */
interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * One connection that is made at first use and remade whenever it is lost. ioredis's own queues are off: a call that
 * finds no connection waits for one at most `connectTimeoutMs`, and a command whose connection is lost fails.
 */
export class ValkeyConnection {
  readonly #client: Redis;
  readonly #timeoutMs: number;
  readonly #waiting = new Set<Waiter>();
  #closed = false;
  /** Whether what is written waits for the end of this turn of the event loop. */
  #gathering = false;

  constructor({ endpoint: { tls, ...endpoint }, connectTimeoutMs, commandTimeoutMs }: ValkeyConfig) {
    this.#timeoutMs = connectTimeoutMs;
    this.#client = new RedisClient({
      ...endpoint,
      // SNI takes names only; the certificate is checked against the host either way
      ...(tls && { tls: isIP(endpoint.host) ? {} : { servername: endpoint.host } }),
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: SOCKET_TIMEOUT_MS,
      // the handshake has no deadline of its own: with a peer that vanished it would wait for TCP to give up
      socketTimeout: Math.max(SOCKET_TIMEOUT_MS, commandTimeoutMs),
      // how long a peer that was given up may take to close its side, before the next connection is tried
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      retryStrategy: (attempt) => Math.min(10 * 2 ** attempt, MAX_BACKOFF_MS) * (0.5 + Math.random() / 2),
    });
    // without a listener a lost connection would be an uncaught exception; the calls that it fails tell of it
    this.#client.on('error', () => {});
    this.#client.on('ready', () => {
      for (const { resolve } of this.#waiting) resolve();
      this.#waiting.clear();
    });
    this.#client.on('end', () => {
      const error = new AplSessionError('store.unavailable', 'The connection to Valkey was ended.');
      for (const { reject } of this.#waiting) reject(error);
      this.#waiting.clear();
    });
  }

  /** The client, if it is ready for commands at this moment. */
  readyNow(): Redis | undefined {
    if (this.#closed || this.#client.status !== 'ready') return undefined;
    this.#gatherWrites();
    return this.#client;
  }

  /** A client that is ready for commands; waits for one if need be. */
  async ready(): Promise<Redis> {
    if (this.#closed) throw new AplSessionError('store.closed', 'ValkeySessionStore is closed.');
    if (this.#client.status !== 'ready') await this.#untilReady();
    this.#gatherWrites();
    return this.#client;
  }

  /** The commands of one turn of the event loop leave in one write: the system call is what costs most in a command. */
  #gatherWrites(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    // a reconnect has a stream of its own
    const { stream } = this.#client;
    stream.cork();
    setImmediate(() => {
      this.#gathering = false;
      stream.uncork();
    });
  }

  /**
   * Gives up a connection that does not answer, with everything that waits on it, and starts a new one. Otherwise
   * commands to a server that hangs would pile up.
   */
  reset(): void {
    if (this.#client.status === 'ready') this.#client.disconnect(true);
  }

  close(): void {
    this.#closed = true;
    this.#client.disconnect();
  }

  /** A call that gives up leaves the set, so that an outage piles up nothing, however long it lasts. */
  async #untilReady(): Promise<void> {
    let waiter: Waiter | undefined;
    try {
      await withDeadline(
        () =>
          new Promise<void>((resolve, reject) => {
            waiter = { resolve, reject };
            this.#waiting.add(waiter);
            if (this.#client.status === 'wait') this.#client.connect().catch(() => {});
          }),
        this.#timeoutMs,
        () => new AplSessionError('store.unavailable', `No connection to Valkey within ${this.#timeoutMs} ms.`),
      );
    } finally {
      if (waiter) this.#waiting.delete(waiter);
    }
  }
}
