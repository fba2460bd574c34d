import type { Redis } from 'ioredis';
import { clearTimeout, now, setImmediate, setTimeout } from '../../contract/clock.js';
import { AplSessionError } from '../../contract/errors.js';
import { BorrowedClient } from './borrowed-client.js';
import { type ConnectionFailure, connectionFailureOf, noConnection } from './connection-failure.js';
import { ConnectionWaiters } from './connection-waiters.js';
import { type ClientSettings, createClient, open } from './own-client.js';
import { RoleCheck } from './role-check.js';
import { appendByCommands } from './ttl-append.js';
import type { ValkeyClient } from './valkey-client.js';
import type { ValkeyConfig } from './valkey-config.js';
import type { OnFirstUse, ValkeyLink } from './valkey-link.js';

const MAX_BACKOFF_MS = 250;
/** Where somebody has to mend a password or a certificate first. */
const MAX_REFUSED_BACKOFF_MS = 2_000;

export function linkTo(config: ValkeyConfig, onFirstUse: OnFirstUse): ValkeyLink {
  if ('client' in config) return new BorrowedClient(config.client, config.connectTimeoutMs, onFirstUse);
  return new ValkeyConnection(config, onFirstUse);
}

/**
 * One connection that is made at first use and remade whenever it is lost, each time by a new client with the password
 * of that moment. A call that finds no connection waits for one at most `connectTimeoutMs`, and a command whose
 * connection is lost fails.
 */
class ValkeyConnection implements ValkeyLink {
  readonly appendWithTtl = appendByCommands;
  readonly #settings: ClientSettings;
  readonly #onFirstUse: OnFirstUse;
  readonly #waiters = new ConnectionWaiters();
  readonly #roleCheck = new RoleCheck();
  /** The client that is connected or connecting. */
  #client: Redis | undefined;
  #ready = false;
  #started = false;
  #used = false;
  /** Whether each turn with reads must ask for the role, because the server would not refuse them as a replica. */
  #mustAskRole = false;
  #closed = false;
  #attempts = 0;
  #backoff: NodeJS.Timeout | undefined;
  /** Why the last attempt failed. */
  #failure: ConnectionFailure | undefined;
  /** Whether what is written waits for the end of this turn of the event loop. */
  #gathering = false;

  constructor(settings: ClientSettings, onFirstUse: OnFirstUse) {
    this.#settings = settings;
    this.#onFirstUse = onFirstUse;
  }

  readyNow(): ValkeyClient | undefined {
    if (!this.#ready || this.#client?.status !== 'ready') return undefined;
    this.#gatherWrites(this.#client);
    return this.#client;
  }

  async ready(): Promise<ValkeyClient> {
    const { connectTimeoutMs } = this.#settings;
    const deadline = now() + connectTimeoutMs;
    const failed = (): AplSessionError => noConnection(connectTimeoutMs, this.#failure);
    // a connection may be lost between its announcement and the moment this goes on, hence the loop
    for (let leftMs = connectTimeoutMs; leftMs > 0; leftMs = deadline - now()) {
      if (this.#closed) throw closed();
      const client = this.readyNow();
      if (client) return client;
      if (!this.#started) void this.#connect();
      await this.#waiters.wait(leftMs, failed);
    }
    throw failed();
  }

  /** The commands of one turn of the event loop leave in one write: the system call is what costs most in a command. */
  #gatherWrites(client: Redis): void {
    if (this.#gathering) return;
    this.#gathering = true;
    const { stream } = client;
    stream.cork();
    setImmediate(() => {
      this.#gathering = false;
      this.#roleCheck.ask(client);
      stream.uncork();
    });
  }

  stillPrimary(): Promise<void> | undefined {
    return this.#mustAskRole ? this.#roleCheck.wait() : undefined;
  }

  /** Gives the connection up, with everything that waits on it, and starts a new one. */
  reset(): void {
    if (!this.#ready) return;
    const client = this.#client;
    this.#lose(undefined);
    client?.disconnect();
  }

  close(): void {
    this.#closed = true;
    this.#ready = false;
    clearTimeout(this.#backoff);
    this.#client?.disconnect();
    this.#waiters.rejectAll(closed());
  }

  /** One attempt; a failed one is followed by the next. */
  async #connect(): Promise<void> {
    this.#started = true;
    let client: Redis;
    try {
      client = await createClient(this.#settings);
    } catch (error) {
      const reason = error instanceof AplSessionError ? error.message : 'no client could be made';
      return this.#lose({ code: 'store.login_failed', reason });
    }
    if (this.#closed) return;
    this.#client = client;
    let failure: ConnectionFailure | undefined;
    let secured = false;
    client.once('connect', () => {
      secured = this.#settings.endpoint.tls;
    });
    // without a listener a lost connection would be an uncaught exception
    client.on('error', (error) => {
      failure ??= connectionFailureOf(error, secured && !this.#ready);
    });
    client.once('end', () => {
      if (client === this.#client) this.#lose(failure);
    });
    try {
      const { role, refusesReadsOnceDemoted } = await open(client, this.#settings);
      if (role === 'replica') failure = { code: 'store.unavailable', reason: 'the server is a replica' };
      this.#mustAskRole = role === 'primary' && !refusesReadsOnceDemoted;
    } catch (error) {
      failure ??= connectionFailureOf(error, secured);
    }
    if (client !== this.#client || client.status === 'end') return;
    // an error on the way, such as a database that was not selected, makes this another connection than was asked for
    if (failure || this.#closed || client.status !== 'ready') return client.disconnect();
    this.#attempts = 0;
    this.#failure = undefined;
    this.#ready = true;
    this.#admit(client);
  }

  #admit(client: Redis): void {
    this.#gatherWrites(client);
    if (!this.#used) this.#onFirstUse(client);
    this.#used = true;
    this.#waiters.resolveAll();
  }

  /** There is no connection any more, or still none. */
  #lose(failure: ConnectionFailure | undefined): void {
    this.#client = undefined;
    this.#ready = false;
    if (this.#closed) return;
    this.#failure = failure;
    this.#attempts += 1;
    const refused = failure !== undefined && failure.code !== 'store.unavailable';
    const longestMs = refused ? MAX_REFUSED_BACKOFF_MS : MAX_BACKOFF_MS;
    const delayMs = Math.min(10 * 2 ** this.#attempts, longestMs) * (0.5 + Math.random() / 2);
    this.#backoff = setTimeout(() => void this.#connect(), delayMs);
  }
}

function closed(): AplSessionError {
  return new AplSessionError('store.closed', 'ValkeySessionStore is closed.');
}
