import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { setImmediate } from '../../../util/clock.js';
import { ErrorReply, type Reply, RespParser } from './resp-parser.js';
import { RoleCheck } from './role-check.js';
import { bulkText, type ValkeyRequest } from './valkey-request.js';

/** The command that proves the position of replies. */
type Probe = 'echo' | 'unknown command';

const NOTHING: ValkeyRequest = { text: '', replies: [] };

/** A request in flight. */
interface Exchange {
  readonly request: ValkeyRequest;
  /** The expected reply to the probe behind the request; empty if the request has no probe. */
  readonly nonce: string;
  readonly replies: Reply[];
  readonly resolve: (replies: readonly Reply[]) => void;
  readonly reject: (error: Error) => void;
  next: Exchange | undefined;
}

/** Called once when the connection is lost, with the error of the socket if it had one. */
export type OnLost = (error: unknown) => void;

/** The methods of a connection that calls use. */
export type ValkeyAsker = Pick<ValkeyWire, 'ask' | 'askUnproven' | 'stillPrimary' | 'giveUp'>;

/**
 * A connection that only the store writes to. RESP has no ids: the first reply belongs to the first command. After a
 * missing or an extra reply, each session would get the labels of another. So a probe with a unique reply follows each
 * request, and the replies of the request count only after the probe's reply. A wrong reply closes the connection, and
 * all pending requests fail.
 */
export class ValkeyWire {
  readonly #socket: Socket;
  readonly #onLost: OnLost;
  readonly #parser = new RespParser((reply) => this.#take(reply));
  readonly #roleCheck = new RoleCheck();
  readonly #prefix = randomBytes(8).toString('hex');
  #nonces = 0;
  #probe: Probe = 'echo';
  /** Whether each turn with reads checks the role, because this server would answer reads as a replica. */
  #asksRole = false;
  #state: 'open' | 'lost' = 'open';
  #heard = false;
  #answered = false;
  #first: Exchange | undefined;
  #last: Exchange | undefined;
  /** Written once at the end of this turn of the event loop, because the system call is the largest cost. */
  #out = '';

  constructor(socket: Socket, onLost: OnLost) {
    this.#socket = socket;
    this.#onLost = onLost;
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    // do not remove this listener: a socket may emit two errors during a TLS handshake
    socket.on('error', (error) => this.#lose(error));
    socket.on('close', () => this.#lose(undefined));
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  /** Whether any byte has arrived from the server. */
  get heard(): boolean {
    return this.#heard;
  }

  /** Whether a request with a command and a probe was answered. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Resolves with the replies when the probe is answered; some may be errors. Rejects if the connection is lost. */
  ask(request: ValkeyRequest): Promise<readonly Reply[]> {
    return new Promise((resolve, reject) => {
      this.#nonces += 1;
      const nonce = `${this.#prefix}${this.#nonces}`;
      this.#send(request, nonce, resolve, reject);
    });
  }

  /**
   * Like `ask`, but without a probe. Do not use it for replies that decide about a request. Only the types of the
   * replies are checked at once; the next request with a probe proves their position.
   */
  askUnproven(request: ValkeyRequest): Promise<readonly Reply[]> {
    return new Promise((resolve, reject) => this.#send(request, '', resolve, reject));
  }

  /** Changes the kind of the probe, and resolves when a probe is answered, which proves all earlier replies. */
  async probeByUnknownCommand(): Promise<void> {
    this.#probe = 'unknown command';
    await this.ask(NOTHING);
  }

  /** From now on, every turn with reads checks that the server is still a primary. */
  askForRole(): void {
    this.#asksRole = true;
  }

  /**
   * Rejects if the server is a replica after the reads of this turn of the event loop. Returns `undefined` if the
   * server would refuse reads itself. Costs no round trip, because the check is sent behind the reads.
   */
  stillPrimary(): Promise<void> | undefined {
    return this.#asksRole ? this.#roleCheck.wait() : undefined;
  }

  /** Closes the connection. All pending requests fail. */
  giveUp(why: string): void {
    this.#lose(new Error(why));
  }

  #send(request: ValkeyRequest, nonce: string, resolve: Exchange['resolve'], reject: Exchange['reject']): void {
    if (this.#state === 'lost') return void reject(new Error('The connection was lost.'));
    const exchange: Exchange = { request, nonce, replies: [], resolve, reject, next: undefined };
    if (this.#last) this.#last.next = exchange;
    else this.#first = exchange;
    this.#last = exchange;
    if (this.#out === '') setImmediate(() => this.#flush());
    this.#out += request.text;
    if (nonce === '') return;
    this.#out += this.#probe === 'echo' ? `*2\r\n$4\r\necho\r\n${bulkText(nonce)}` : `*1\r\n${bulkText(nonce)}`;
  }

  #flush(): void {
    this.#roleCheck.ask(this);
    const { length } = this.#out;
    if (this.#state === 'lost' || length === 0) return;
    const out = this.#out;
    this.#out = '';
    // the failover detector of a client may have ended the socket
    if (this.#socket.writable) this.#socket.write(out);
    else this.giveUp('The connection was ended.');
  }

  #read(bytes: Buffer): void {
    this.#heard = true;
    try {
      this.#parser.write(bytes);
    } catch (error) {
      this.#lose(error);
    }
  }

  #take(reply: Reply): void {
    const exchange = this.#first;
    if (!exchange) return void this.#outOfStep();
    const { request, replies, nonce } = exchange;
    const isOfType = request.replies[replies.length];
    if (isOfType) {
      if (!(reply instanceof ErrorReply) && !isOfType(reply)) return void this.#outOfStep();
      replies.push(reply);
      if (nonce !== '' || replies.length < request.replies.length) return;
    } else if (!this.#proves(reply, nonce)) {
      return void this.#outOfStep();
    }
    if (nonce !== '' && replies.length > 0) this.#answered = true;
    this.#first = exchange.next;
    if (!this.#first) this.#last = undefined;
    exchange.resolve(replies);
  }

  #proves(reply: Reply, nonce: string): boolean {
    if (this.#probe === 'echo') return reply === nonce;
    return reply instanceof ErrorReply && /^ERR unknown command ['`]([^'`]*)['`]/.exec(reply.text)?.[1] === nonce;
  }

  #outOfStep(): void {
    this.giveUp('The replies of the server did not fit the commands.');
  }

  #lose(error: unknown): void {
    if (this.#state === 'lost') return;
    this.#state = 'lost';
    this.#parser.stop();
    this.#out = '';
    this.#socket.destroy();
    const reason = error instanceof Error ? error : new Error('The connection was closed.');
    for (let exchange = this.#first; exchange; exchange = exchange.next) exchange.reject(reason);
    this.#first = undefined;
    this.#last = undefined;
    this.#onLost(error);
  }
}
