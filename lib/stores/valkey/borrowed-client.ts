import { setImmediate } from '../../contract/clock.js';
import { AplSessionError } from '../../contract/errors.js';
import { type ConnectionFailure, connectionFailureOf, noConnection } from './connection-failure.js';
import { ConnectionWaiters } from './connection-waiters.js';
import { RoleCheck } from './role-check.js';
import { appendInPipeline } from './ttl-append.js';
import type { ValkeyClient } from './valkey-client.js';
import type { OnFirstUse, ValkeyLink } from './valkey-link.js';

/** The words of ioredis where its connecting was broken off, though not by its owner. */
const CLOSED_BY_ITSELF = 'Connection is closed.';

/**
 * A client that belongs to the caller, who connects, reconnects and ends it. Only a client that is connected is given
 * commands, so that its own queue stays empty during an outage.
 */
export class BorrowedClient implements ValkeyLink {
  readonly appendWithTtl = appendInPipeline;
  readonly #client: ValkeyClient;
  readonly #timeoutMs: number;
  readonly #onFirstUse: OnFirstUse;
  readonly #roleCheck = new RoleCheck();
  #asking = false;
  #used = false;
  readonly #waiters = new ConnectionWaiters();
  /** Whether a command was not answered in time, and nothing has been answered since. */
  #silent = false;
  #closed = false;
  #gaveUp = false;
  #failure: ConnectionFailure | undefined;

  constructor(client: ValkeyClient, timeoutMs: number, onFirstUse: OnFirstUse) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
    this.#onFirstUse = onFirstUse;
    client.on('ready', this.#onReady);
    client.on('error', this.#onError);
    client.on('end', this.#onEnd);
  }

  readyNow(): ValkeyClient | undefined {
    if (this.#closed || this.#silent || this.#client.status !== 'ready') return undefined;
    if (!this.#used) this.#onFirstUse(this.#client);
    this.#used = true;
    return this.#client;
  }

  async ready(): Promise<ValkeyClient> {
    if (this.#closed) throw closed();
    const client = this.readyNow();
    if (client) return client;
    // as its first command would
    if (this.#client.status === 'wait') this.#client.connect().catch(() => {});
    const failed = (): AplSessionError => noConnection(this.#timeoutMs, this.#failure);
    await this.#waiters.wait(this.#timeoutMs, failed);
    const connected = this.readyNow();
    // closed, or lost again, before this went on: its own queue would keep the command beyond our deadline
    if (!connected) throw this.#closed ? closed() : failed();
    return connected;
  }

  /**
   * The connection is the caller's, so nothing is promised on it; each turn with reads asks. In a cluster a replica sends
   * readers to its primary by itself, and the client goes there.
   */
  stillPrimary(): Promise<void> | undefined {
    if (this.#client.isCluster) return undefined;
    if (!this.#asking) {
      this.#asking = true;
      setImmediate(() => {
        this.#asking = false;
        this.#roleCheck.ask(this.#client, this.#onReplica);
      });
    }
    return this.#roleCheck.wait();
  }

  /** Others may be using the connection, so it stays. Whatever PING is answered with, the server is there again. */
  reset(): void {
    if (this.#silent || this.#closed) return;
    this.#silent = true;
    const heard = (): void => {
      this.#silent = false;
      if (this.#client.status === 'ready') this.#waiters.resolveAll();
    };
    this.#client.ping().then(heard, heard);
  }

  close(): void {
    this.#closed = true;
    this.#client.off('ready', this.#onReady);
    this.#client.off('error', this.#onError);
    this.#client.off('end', this.#onEnd);
    this.#waiters.rejectAll(closed());
  }

  /** A client that reconnects when a server says READONLY would not do so here: a replica says it to writers only. */
  readonly #onReplica = (error: Error): void => {
    if (wantsToReconnect(this.#client, error)) this.#client.disconnect(true);
  };

  readonly #onReady = (): void => {
    this.#failure = undefined;
    if (!this.#silent) this.#waiters.resolveAll();
  };

  readonly #onError = (error: unknown): void => {
    this.#failure = connectionFailureOf(error);
    this.#gaveUp = (error as Error | undefined)?.message === CLOSED_BY_ITSELF;
  };

  /**
   * A failover that Sentinel announces while the client is connecting ends the client for good. One that its owner has
   * ended reports no such error before, and stays as it is.
   */
  readonly #onEnd = (): void => {
    if (this.#closed || !this.#gaveUp) return;
    this.#gaveUp = false;
    this.#client.connect().catch(() => {});
  };
}

function closed(): AplSessionError {
  return new AplSessionError('store.closed', 'ValkeySessionStore is closed.');
}

function wantsToReconnect({ options }: ValkeyClient, error: Error): boolean {
  try {
    return Boolean(options.reconnectOnError?.(error));
  } catch {
    return false;
  }
}
