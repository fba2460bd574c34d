import { AplSessionError } from '../../../contract/errors.js';
import { setImmediate } from '../../../util/clock.js';
import { ReplyError, redirectIn, resultOf } from '../protocol/reply-error.js';
import { ErrorReply, type Reply } from '../protocol/resp-parser.js';
import { requestOf, type ValkeyRequest } from '../protocol/valkey-request.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';

export interface Replication {
  /** How many replicas must confirm. */
  readonly replicas: number;
  /** How long the server waits for them, in milliseconds. */
  readonly timeoutMs: number;
  /** Returns a key that the server of the connection has, for the write in front of each `WAIT`. */
  fenceKey(): string;
}

/** The key of the fence expires after this many seconds without a batch. */
const FENCE_SECONDS = '60';

interface Batch {
  /** Resolves when the replicas have confirmed the batch. */
  readonly confirmed: Promise<void>;
}

/**
 * A connection whose replies count only after replicas have confirmed them. Requests are sent in batches with one `WAIT`,
 * because `WAIT` blocks the commands behind it. Requests that arrive meanwhile form the next batch.
 *
 * `WAIT` waits for the last write of its own connection, and an append of known labels writes nothing. So each batch ends
 * with a write of its own, the fence. When a replica confirms it, that replica has everything in front of it, and had not
 * left this primary when the batch was executed. Do not put `WAIT` in a transaction: it does not block there.
 */
export class ReplicatedWire implements ValkeyAsker {
  readonly #wire: ValkeyAsker;
  readonly #replication: Replication;
  #fenceKey: string | undefined;
  /** Settles with the batch that is in flight. */
  #inFlight: Promise<unknown> = Promise.resolve();
  /** The batch that requests may join. */
  #open: Promise<Batch> | undefined;

  constructor(wire: ValkeyAsker, replication: Replication) {
    this.#wire = wire;
    this.#replication = replication;
  }

  async ask(request: ValkeyRequest): Promise<readonly Reply[]> {
    const batch = await this.#join();
    const replies = await this.#wire.ask(request);
    // the error tells more than a missing confirmation
    if (!replies.some((reply) => reply instanceof ErrorReply)) await batch.confirmed;
    return replies;
  }

  /** In the order of the other requests, but without a confirmation. */
  async askUnproven(request: ValkeyRequest): Promise<readonly Reply[]> {
    await this.#join();
    return this.#wire.askUnproven(request);
  }

  /** No check is needed: a replica refuses the fence. */
  stillPrimary(): undefined {
    return undefined;
  }

  giveUp(why: string): void {
    this.#wire.giveUp(why);
  }

  #join(): Promise<Batch> {
    this.#open ??= this.#inFlight.then(() => this.#begin());
    return this.#open;
  }

  #begin(): Batch {
    const confirmed = new Promise<void>((resolve, reject) => {
      // scheduled before the connection schedules its write, so that the batch and its fence share a packet
      setImmediate(() => {
        this.#open = undefined;
        this.#confirm().then(resolve, reject);
      });
    });
    this.#inFlight = confirmed.catch(() => {});
    return { confirmed };
  }

  async #confirm(): Promise<void> {
    const { replicas, timeoutMs, fenceKey } = this.#replication;
    this.#fenceKey ??= fenceKey();
    const fence = [
      ['sadd', this.#fenceKey, '1'],
      ['expire', this.#fenceKey, FENCE_SECONDS],
    ];
    const answers = await this.#wire.ask(requestOf(...fence, ['wait', `${replicas}`, `${timeoutMs}`]));
    try {
      for (const answer of answers) resultOf(answer);
    } catch (error) {
      if (!redirectIn(error)) throw error;
      // The slot of the fence has moved. Do not pass the redirect on: a call would follow it with its own key.
      this.#fenceKey = undefined;
      throw new ReplyError('TRYAGAIN The slot of the fence has moved.');
    }
    const confirmed = Number(answers.at(-1));
    if (!(confirmed >= replicas)) throw notReplicated(confirmed, replicas, timeoutMs);
  }
}

function notReplicated(confirmed: number, replicas: number, timeoutMs: number): AplSessionError {
  return new AplSessionError(
    'store.not_replicated',
    `${confirmed} of the ${replicas} replicas in 'durability.replicas' confirmed within ${timeoutMs} ms. Check that the replicas are connected to this primary and keep up with it.`,
  );
}
