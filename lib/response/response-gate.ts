import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { DeferredDestroy } from './deferred-destroy.js';
import {
  bytesOf,
  detachedResponse,
  endsWithConnection,
  FINISHES_AT_END,
  impersonate,
  type NodeResponse,
  type PendingOutput,
  renderedStatus,
  type WriteCallback,
} from './node-response.js';

/** What becomes of a response that was held. */
export type Verdict = 'release' | 'refuse';

/** Decides when a response is held and what becomes of it. The gate knows nothing else about the reasons. */
export interface GateKeeper {
  /** Whether no byte may leave at the moment. Asked for every piece of output, so it must be cheap. */
  mustHold(): boolean;

  /**
   * Called when a hold begins, and again while `mustHold` is still true after it. Resolves when the bytes may leave,
   * or the response is to be refused. Must not reject.
   * @param status the response's status, `undefined` before there is a head
   */
  settle(status: number | undefined): Promise<Verdict>;

  /** Answers with the refusal. The response given is connected to nothing; it must have ended on return. */
  answerRefusal(detached: ServerResponse): void;
}

const kGate = Symbol('express-apl-session.gate');
type GatedResponse = NodeResponse & { [kGate]?: ResponseGate };

/**
 * Holds back the bytes of one response for as long as its keeper says so.
 *
 * It stands where Node hands bytes to the socket, below every public method, and keeps them where Node keeps the bytes
 * of a pipelined response that waits for its turn. So whatever wraps the response, and in whatever order, ends up here;
 * and the response looks to everybody like one that has accepted the data, because it is one.
 */
export class ResponseGate {
  readonly #res: NodeResponse;
  readonly #keeper: GateKeeper;
  readonly #writeRaw: NodeResponse['_writeRaw'];
  readonly #flush: NodeResponse['_flush'];
  #holding = false;
  #refused = false;
  #headOut: boolean;
  /** Pieces in `outputData` after the last one was kept. */
  #keptCount = 0;
  /** Bytes in `outputData` that were not accounted for with `_onPendingData`. */
  #heldSize = 0;
  #destroy: DeferredDestroy | undefined;

  private constructor(res: NodeResponse, keeper: GateKeeper) {
    this.#res = res;
    this.#keeper = keeper;
    this.#writeRaw = res._writeRaw;
    this.#flush = res._flush;
    this.#headOut = res._headerSent && res.outputData.length === 0;
    res._writeRaw = (data, encoding, callback, size) => this.#onWrite(data, encoding, callback, size);
    res._flush = () => this.#onFlush();
  }

  /** Puts a gate on a response; one that has a gate keeps it. */
  static on(response: object, keeper: GateKeeper): ResponseGate {
    const res = response as GatedResponse;
    res[kGate] ??= new ResponseGate(res, keeper);
    return res[kGate];
  }

  /** Whether the head of the response has left, so that it cannot be replaced any more. */
  get headOut(): boolean {
    return this.#headOut;
  }

  /**
   * Replaces the response by a refusal if its head has not left, else cuts the connection. Whatever the handlers send
   * after that is dropped.
   */
  refuse(): void {
    if (this.#refused) return;
    this.#refused = true;
    const abandoned = this.#destroy?.requested && !this.#res.writableEnded;
    if (this.#headOut || abandoned) this.#cut();
    else this.#replace();
    if (!this.#holding) this.#onFlush();
  }

  #onWrite(
    data: string | Buffer,
    encoding: BufferEncoding | null | WriteCallback,
    callback: WriteCallback,
    size: number | undefined,
  ): boolean {
    if (typeof encoding === 'function') return this.#onWrite(data, null, encoding, size);
    if (this.#refused) {
      if (callback) process.nextTick(callback);
      return true;
    }
    // what is sent after the socket was destroyed is lost, also while the destruction is put off
    if (this.#destroy?.requested) return false;
    const res = this.#res;
    const nothing = data.length === 0 && res.finished && !this.#holding;
    if (nothing || res.socket?.destroyed || !(this.#holding || this.#keeper.mustHold())) {
      const accepted = this.#writeRaw.call(res, data, encoding, callback, size);
      this.#headOut ||= res._headerSent && res.outputData.length === 0;
      return accepted;
    }
    this.#keep(data, encoding, callback);
    this.#hold();
    return false;
  }

  #onFlush(): void {
    if (this.#holding) return;
    if (this.#res.outputData.length > 0 && this.#keeper.mustHold()) this.#hold();
    else this.#release();
  }

  #keep(data: string | Buffer, encoding: BufferEncoding | null | undefined, callback: WriteCallback): void {
    const res = this.#res;
    const { outputData } = res;
    // Node puts the head before all that is kept; that is wrong where interim responses are kept already
    if (this.#holding && outputData.length > this.#keptCount) outputData.push(...outputData.splice(0, 1));
    // a caller may reuse its buffer once write() has returned
    outputData.push({ data: typeof data === 'string' ? data : Buffer.from(data), encoding, callback });
    this.#keptCount = outputData.length;
    res.outputSize += data.length;
    this.#heldSize += data.length;
  }

  #hold(): void {
    if (this.#holding) return;
    this.#holding = true;
    this.#destroy = DeferredDestroy.on(this.#res.socket);
    if (FINISHES_AT_END) {
      Object.defineProperty(this.#res, 'writableFinished', { get: () => this.#res.finished, configurable: true });
    }
    void this.#settle();
  }

  #unhold(): DeferredDestroy | undefined {
    const destroy = this.#destroy;
    this.#holding = false;
    this.#destroy = undefined;
    destroy?.restore();
    Reflect.deleteProperty(this.#res, 'writableFinished');
    return destroy;
  }

  async #settle(): Promise<void> {
    try {
      do {
        if ((await this.#keeper.settle(renderedStatus(this.#res))) === 'refuse') this.refuse();
      } while (this.#keeper.mustHold());
      this.#release();
    } catch (error) {
      // a listener that throws, or a fault of this class, must cost this response and not the process
      this.#cut(error as Error);
    }
  }

  /** Hands everything that is kept to the socket, or leaves it with Node until it is this response's turn. */
  #release(): void {
    const res = this.#res;
    const destroy = this.#unhold();
    const unaccounted = this.#heldSize;
    this.#heldSize = 0;
    if (res.socket?.writable) this.#flushKept(res.socket, unaccounted);
    else if (res.socket) this.#drop();
    else if (unaccounted > 0) res._onPendingData(unaccounted);
    destroy?.perform(res.writableEnded);
  }

  /**
   * Node takes what it flushes off the connection's account; what was held has never been on it. And whoever corked the
   * socket during the hold did so after these bytes, which would have left before.
   */
  #flushKept(socket: Socket, unaccounted: number): void {
    const res = this.#res;
    const account = res._onPendingData;
    let excess = unaccounted;
    res._onPendingData = (delta) => {
      const accounted = delta + excess;
      excess = 0;
      if (accounted !== 0) account(accounted);
    };
    const corked = socket.writableCorked;
    for (let n = 0; n < corked; n++) socket.uncork();
    try {
      this.#flush.call(res);
    } finally {
      for (let n = 0; n < corked; n++) socket.cork();
      res._onPendingData = account;
    }
    this.#headOut ||= res._headerSent && res.outputData.length === 0;
  }

  /** Puts the refusal in the place of everything that was kept. */
  #replace(): void {
    const res = this.#res;
    const ended = res.writableEnded;
    const refusal = detachedResponse(res, ended && !res._last);
    this.#keeper.answerRefusal(refusal);
    const callbacks = this.#takeKept().map(({ callback }) => callback);
    impersonate(res, refusal);
    const { socket } = res;
    this.#keep(bytesOf(refusal), null, (error) => {
      for (const callback of callbacks) callback?.(error);
      // the handler may never end its response, but the client has all that it will get
      if (!ended) socket?.destroySoon();
    });
  }

  /** Ends the connection so that the client can tell that the response is not complete. */
  #cut(error?: Error): void {
    const { socket } = this.#res;
    this.#refused = true;
    this.#unhold();
    this.#drop();
    if (!socket || socket.destroyed) return;
    // without a length or chunks the end of the connection is the end of the response, so it must be no clean one
    if (endsWithConnection(this.#res) && !('encrypted' in socket)) socket.resetAndDestroy();
    else socket.destroy(error);
  }

  /** Forgets what is kept and tells those who wait for it. `finish` must not fire: it was not sent. */
  #drop(): void {
    const kept = this.#takeKept();
    if (this.#res.writableEnded) kept.pop();
    for (const { callback } of kept) if (callback) process.nextTick(callback, destroyedError());
  }

  #takeKept(): PendingOutput[] {
    const res = this.#res;
    const kept = res.outputData;
    const accounted = res.outputSize - this.#heldSize;
    res.outputData = [];
    res.outputSize = 0;
    this.#heldSize = 0;
    if (accounted !== 0) res._onPendingData(-accounted);
    return kept;
  }
}

function destroyedError(): Error {
  return Object.assign(new Error('The response was destroyed before this was sent.'), { code: 'ERR_STREAM_DESTROYED' });
}
