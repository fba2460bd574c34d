import { isIP } from 'node:net';
import ioredis, { type Redis } from 'ioredis';
import { withDeadline } from '../../contract/deadline.js';
import { AplSessionError } from '../../contract/errors.js';
import type { ValkeyConfig } from './valkey-config.js';
import { demotionError, faultText } from './valkey-faults.js';
import { askRole, greet } from './valkey-role.js';

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

/** The role of the server, asked behind the commands of one turn of the event loop. */
interface RoleCheck {
  readonly answer: Promise<void>;
  readonly ask: () => void;
}

/**
 * One connection to a primary that is made at first use and remade whenever it is lost. ioredis's own queues are off: a call that
 * finds no connection waits for one at most `connectTimeoutMs`, and a command whose connection is lost fails.
 */
export class ValkeyConnection {
  readonly #client: Redis;
  readonly #connectTimeoutMs: number;
  readonly #commandTimeoutMs: number;
  readonly #onFirstUse: (client: Redis) => void;
  readonly #waiting = new Set<Waiter>();
  #closed = false;
  /** Whether what is written waits for the end of this turn of the event loop. */
  #gathering = false;
  /** Whether the server at the other end was found to be none but a primary. */
  #usable = false;
  #used = false;
  /** Servers in a row that were connected to and were not usable. */
  #unusable = 0;
  /** Why there is no connection, in words. */
  #lastFault: string | undefined;
  /** Whether each turn with reads must ask for the role, because the server would not refuse them as a replica. */
  #mustAskRole = false;
  #roleCheck: RoleCheck | undefined;

  /** `onFirstUse` is called once, before the first command of the first connection; what it sends leaves with that. */
  constructor(
    { endpoint: { tls, ...endpoint }, connectTimeoutMs, commandTimeoutMs }: ValkeyConfig,
    onFirstUse: (client: Redis) => void,
  ) {
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#commandTimeoutMs = commandTimeoutMs;
    this.#onFirstUse = onFirstUse;
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
      // a server that loads its data is asked again soon; by default, after as long as it believes to need
      maxLoadingRetryTime: MAX_BACKOFF_MS,
      retryStrategy: (attempt) => backoffMs(attempt + this.#unusable),
    });
    // without a listener a lost connection would be an uncaught exception
    this.#client.on('error', (error: Error) => {
      this.#lastFault = faultText(error);
    });
    this.#client.on('ready', () => void this.#greet());
    this.#client.on('close', () => {
      this.#usable = false;
    });
    this.#client.on('end', () => {
      const error = new AplSessionError('store.unavailable', 'The connection to Valkey was ended.');
      for (const { reject } of this.#waiting) reject(error);
      this.#waiting.clear();
    });
  }

  /** The client, if it is ready for commands at this moment. */
  readyNow(): Redis | undefined {
    if (this.#closed || !this.#isReady) return undefined;
    this.#gatherWrites();
    return this.#client;
  }

  /** A client that is ready for commands; waits for one if need be. */
  async ready(): Promise<Redis> {
    if (this.#closed) throw new AplSessionError('store.closed', 'ValkeySessionStore is closed.');
    if (!this.#isReady) await this.#untilReady();
    this.#gatherWrites();
    return this.#client;
  }

  /**
   * Rejects if the server is a replica after the reads of this turn. `undefined` where it would have refused them
   * itself. Costs no round trip: the question leaves with the reads.
   */
  stillPrimary(): Promise<void> | undefined {
    if (!this.#mustAskRole) return undefined;
    this.#roleCheck ??= this.#newRoleCheck();
    return this.#roleCheck.answer;
  }

  get #isReady(): boolean {
    return this.#usable && this.#client.status === 'ready';
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
      this.#roleCheck?.ask();
      stream.uncork();
    });
  }

  /**
   * Gives up a connection that does not answer, with everything that waits on it, and starts a new one. Otherwise
   * commands to a server that hangs would pile up.
   */
  reset(): void {
    if (!this.#isReady) return;
    this.#usable = false;
    this.#client.disconnect(true);
  }

  close(): void {
    this.#closed = true;
    this.#client.disconnect();
  }

  /** Finds out about the server of a new connection; only a primary may serve. */
  async #greet(): Promise<void> {
    const { stream } = this.#client;
    const isCurrent = (): boolean => this.#client.stream === stream && this.#client.status === 'ready';
    try {
      const { role, refusesReadsOnceDemoted } = await withDeadline(
        () => greet(this.#client),
        this.#commandTimeoutMs,
        () => new Error('The server does not answer.'),
      );
      if (!isCurrent()) return;
      if (role === 'replica') throw new Error('The server is a replica.');
      this.#mustAskRole = role === 'primary' && !refusesReadsOnceDemoted;
      this.#unusable = 0;
      this.#lastFault = undefined;
      this.#usable = true;
      this.#admit();
    } catch (error) {
      if (!isCurrent()) return;
      this.#unusable += 1;
      this.#lastFault = faultText(error);
      this.#client.disconnect(true);
    }
  }

  #admit(): void {
    this.#gatherWrites();
    if (!this.#used) this.#onFirstUse(this.#client);
    this.#used = true;
    for (const { resolve } of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #newRoleCheck(): RoleCheck {
    let ask!: () => void;
    const answer = new Promise<void>((resolve, reject) => {
      ask = () => {
        this.#roleCheck = undefined;
        askRole(this.#client).then((role) => (role === 'replica' ? reject(demotionError()) : resolve()), reject);
      };
    });
    return { answer, ask };
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
        this.#connectTimeoutMs,
        () => this.#noConnection(),
      );
    } finally {
      if (waiter) this.#waiting.delete(waiter);
    }
  }

  #noConnection(): AplSessionError {
    const reason = this.#lastFault === undefined ? '' : ` Last: ${this.#lastFault}`;
    const message = `No connection to a Valkey primary within ${this.#connectTimeoutMs} ms.${reason}`;
    return new AplSessionError('store.unavailable', message);
  }
}

function backoffMs(attempt: number): number {
  return Math.min(10 * 2 ** attempt, MAX_BACKOFF_MS) * (0.5 + Math.random() / 2);
}
