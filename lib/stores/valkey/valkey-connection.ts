import { Redis } from 'ioredis';
import { withDeadline } from '../../contract/deadline.js';
import { AplSessionError } from '../../contract/errors.js';
import type { ValkeyConfig } from './valkey-config.js';

const MAX_BACKOFF_MS = 250;
const SOCKET_CONNECT_TIMEOUT_MS = 2_000;

/**
 * One connection that is made at first use and remade whenever it is lost. ioredis's own queues are off: a call that
 * finds no connection waits for one at most `connectTimeoutMs`, and a command whose connection is lost fails.
 */
export class ValkeyConnection {
  readonly #client: Redis;
  readonly #timeoutMs: number;
  #becomingReady: Promise<void> | undefined;
  #closed = false;

  constructor({ endpoint: { tls, ...endpoint }, connectTimeoutMs }: ValkeyConfig) {
    this.#timeoutMs = connectTimeoutMs;
    this.#client = new Redis({
      ...endpoint,
      ...(tls && { tls: { servername: endpoint.host } }),
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: SOCKET_CONNECT_TIMEOUT_MS,
      retryStrategy: (attempt) => Math.min(10 * 2 ** attempt, MAX_BACKOFF_MS) * (0.5 + Math.random() / 2),
    });
    // without a listener a lost connection would be an uncaught exception; the calls that it fails tell of it
    this.#client.on('error', () => {});
  }

  /** A client that is ready for commands; waits for one if need be. */
  async ready(): Promise<Redis> {
    if (this.#closed) throw new AplSessionError('store.closed', 'ValkeySessionStore is closed.');
    if (this.#client.status !== 'ready') {
      await withDeadline(
        () => (this.#becomingReady ??= this.#becomeReady()),
        this.#timeoutMs,
        () => new AplSessionError('store.unavailable', `No connection to Valkey within ${this.#timeoutMs} ms.`),
      );
    }
    return this.#client;
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

  /** Shared by all waiting calls, so that an outage costs one listener and not one for each request. */
  async #becomeReady(): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#client.once('ready', resolve);
        this.#client.once('end', () =>
          reject(new AplSessionError('store.unavailable', 'The connection to Valkey was ended.')),
        );
        if (this.#client.status === 'wait') this.#client.connect().catch(() => {});
      });
    } finally {
      this.#becomingReady = undefined;
    }
  }
}
