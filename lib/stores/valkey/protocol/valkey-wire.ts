import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { setImmediate } from '../../../util/clock.js';
import { ErrorReply, type Reply, RespParser } from './resp-parser.js';
import { RoleCheck } from './role-check.js';
import { bulkText, type ValkeyRequest } from './valkey-request.js';

/** How a connection proves that a reply belongs to its command. */
type Probe = 'echo' | 'unknown command';

const NOTHING: ValkeyRequest = { text: '', replies: [] };

/** A request under way. */
interface Exchange {
  readonly request: ValkeyRequest;
  /** What the probe behind it must be answered with; empty if there is none. */
  readonly nonce: string;
  readonly replies: Reply[];
  readonly resolve: (replies: readonly Reply[]) => void;
  readonly reject: (error: Error) => void;
  next: Exchange | undefined;
}

/** Hears, once, that the connection is gone, and of the socket's error if there was one. */
export type OnLost = (error: unknown) => void;

/** What a call needs of a connection. */
export type ValkeyAsker = Pick<ValkeyWire, 'ask' | 'askUnproven' | 'stillPrimary' | 'giveUp'>;

/**
 * A connection that only the store writes to. Replies have no address in RESP: the first belongs to the first command, and
 * one too many or too few would give each session the labels of another. So behind each request goes a probe that only
 * its own place can answer, and nothing is released before that answer has come. Any other answer ends the
 * connection, with all that waits on it.
 */
export class ValkeyWire {
  readonly #socket: Socket;
  readonly #onLost: OnLost;
  readonly #parser = new RespParser((reply) => this.#take(reply));
  readonly #roleCheck = new RoleCheck();
  readonly #prefix = randomBytes(8).toString('hex');
  #nonces = 0;
  #probe: Probe = 'echo';
  /** Whether each turn with reads asks for the role, because the server would not refuse them as a replica. */
  #asksRole = false;
  #state: 'open' | 'lost' = 'open';
  #heard = false;
  #first: Exchange | undefined;
  #last: Exchange | undefined;
  /** What leaves at the end of this turn of the event loop, in one write: the system call costs most in a command. */
  #out = '';

  constructor(socket: Socket, onLost: OnLost) {
    this.#socket = socket;
    this.#onLost = onLost;
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    // a socket may report two errors in the middle of a TLS handshake, so this listener stays
    socket.on('error', (error) => this.#lose(error));
    socket.on('close', () => this.#lose(undefined));
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  /** Whether the server has said anything. */
  get heard(): boolean {
    return this.#heard;
  }

  /** Sends, and resolves with the replies once their place is proven; some may be errors. Rejects if the connection is lost. */
  ask(request: ValkeyRequest): Promise<readonly Reply[]> {
    return new Promise((resolve, reject) => {
      this.#nonces += 1;
      const nonce = `${this.#prefix}${this.#nonces}`;
      this.#send(request, nonce, resolve, reject);
    });
  }

  /**
   * The same without a proof, for what decides about no request. Its reply must be of the right type, and its place is
   * proven by the request behind it.
   */
  askUnproven(request: ValkeyRequest): Promise<readonly Reply[]> {
    return new Promise((resolve, reject) => this.#send(request, '', resolve, reject));
  }

  /** Changes the probe, and resolves once it was answered: that proves the places of all before it, too. */
  async probeByUnknownCommand(): Promise<void> {
    this.#probe = 'unknown command';
    await this.ask(NOTHING);
  }

  /** From now on every turn with reads asks whether the server is a primary still. */
  askForRole(): void {
    this.#asksRole = true;
  }

  /**
   * Rejects if the server is a replica after the reads of this turn of the event loop. `undefined` where it would have
   * refused them itself. Costs no round trip: the question goes behind the reads.
   */
  stillPrimary(): Promise<void> | undefined {
    return this.#asksRole ? this.#roleCheck.wait() : undefined;
  }

  /** Closes the connection; all that waits on it fails. */
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
    // others may have ended the socket, as the detector of failovers does
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
