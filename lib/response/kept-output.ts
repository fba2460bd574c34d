import type { NodeResponse, PendingOutput, WriteCallback } from './node-response.js';

/**
 * What a held response has sent. It is kept in `outputData`, where Node keeps the bytes of a response that waits for its
 * turn in a pipeline, so that every flag that Node derives from it is right. Only the connection's account of such
 * bytes is left alone, because Node would emit `drain` on each change of it.
 */
export class KeptOutput {
  readonly #res: NodeResponse;
  readonly #flush: NodeResponse['_flush'];
  /** Pieces in `outputData` after the last one was added. */
  #count = 0;
  /** Bytes in `outputData` that the connection's account does not know of. */
  #unaccounted = 0;

  constructor(res: NodeResponse) {
    this.#res = res;
    this.#flush = res._flush;
  }

  /** @param first whether nothing was added since the last release */
  add(
    data: string | Buffer,
    encoding: BufferEncoding | null | undefined,
    callback: WriteCallback,
    first: boolean,
  ): void {
    const res = this.#res;
    const { outputData } = res;
    // Node puts the head before all that is kept; that is wrong where interim responses are kept already
    if (!first && outputData.length > this.#count) outputData.push(...outputData.splice(0, 1));
    // a caller may reuse its buffer once write() has returned
    const piece = { data: typeof data === 'string' ? data : Buffer.from(data), encoding, callback };
    // a list that grows by itself reserves room for many
    if (outputData.length === 0) res.outputData = [piece];
    else outputData.push(piece);
    this.#count = res.outputData.length;
    res.outputSize += data.length;
    this.#unaccounted += data.length;
  }

  /** Hands everything to the socket, or leaves it with Node until it is this response's turn. */
  release(): void {
    const { socket } = this.#res;
    if (socket?.writable) {
      // whoever corked the socket during the hold did so after these bytes, which would have left before
      const corked = socket.writableCorked;
      for (let n = 0; n < corked; n++) socket.uncork();
      this.#flushAccounted();
      for (let n = 0; n < corked; n++) socket.cork();
    } else if (socket) {
      this.drop();
    } else if (this.#unaccounted > 0) {
      this.#res._onPendingData(this.#unaccounted);
      this.#unaccounted = 0;
    }
  }

  /** Forgets everything and tells those who wait for it. `finish` must not fire: it was not sent. */
  drop(): void {
    const pieces = this.take();
    if (this.#res.writableEnded) pieces.pop();
    for (const { callback } of pieces) if (callback) process.nextTick(callback, destroyedError());
  }

  /** Takes everything out. */
  take(): PendingOutput[] {
    const res = this.#res;
    const pieces = res.outputData;
    const accounted = res.outputSize - this.#unaccounted;
    res.outputData = [];
    res.outputSize = 0;
    this.#unaccounted = 0;
    if (accounted !== 0) res._onPendingData(-accounted);
    return pieces;
  }

  /** Node takes what it flushes off the connection's account, which does not know of all of it. */
  #flushAccounted(): void {
    const res = this.#res;
    const account = res._onPendingData;
    let excess = this.#unaccounted;
    this.#unaccounted = 0;
    res._onPendingData = (delta) => {
      const accounted = delta + excess;
      excess = 0;
      if (accounted !== 0) account(accounted);
    };
    try {
      this.#flush.call(res);
    } finally {
      res._onPendingData = account;
    }
  }
}

function destroyedError(): Error {
  return Object.assign(new Error('The response was destroyed before this was sent.'), { code: 'ERR_STREAM_DESTROYED' });
}
