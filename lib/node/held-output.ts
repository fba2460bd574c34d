import { nextTick } from '../util/clock.js';
import { destroyedError, type NodeResponse, type PendingOutput, type WriteCallback } from './server-response.js';

/**
 * What a held response has sent. Node keeps it, as it does for a response that waits for its turn in a pipeline, and so
 * every flag that Node derives from it is right; it is taken over piece by piece, so that nobody else can flush it.
 */
export class HeldOutput {
  readonly #res: NodeResponse;
  readonly #account: NodeResponse['_onPendingData'];
  /** Never empty. */
  #pieces: PendingOutput[] | undefined;
  /**
   * Bytes that the connection's account does not know of: on each change of it Node emits `drain` on the response whose
   * turn it is, even in the middle of a write.
   */
  #unaccounted = 0;

  constructor(res: NodeResponse) {
    this.#res = res;
    this.#account = res._onPendingData;
  }

  get any(): boolean {
    return this.#pieces !== undefined;
  }

  get bytes(): number {
    return this.#pieces?.reduce((sum, { data }) => sum + (data?.length ?? 0), 0) ?? 0;
  }

  /** Whether Node keeps something, and has not begun to hand it to the socket. */
  get untouched(): boolean {
    const [first] = this.#res.outputData;
    return first !== undefined && first.data !== null;
  }

  /** Whether Node keeps nothing that it has not handed to the socket. */
  get allOut(): boolean {
    const last = this.#res.outputData.at(-1);
    return last === undefined || last.data === null;
  }

  /** Whether Node is in the middle of handing to the socket what it keeps. */
  get flushing(): boolean {
    return this.#res.outputSize > 0 && !this.untouched;
  }

  /** Node sets its count to 0 at the end of a flush, whatever came during it, and takes all of it off the connection's account. */
  recountAfterFlush(): void {
    if (!this.any) return;
    this.#res.outputSize = this.bytes;
    this.#unaccounted = this.bytes;
  }

  /** Takes over what Node keeps. */
  take(): void {
    const res = this.#res;
    const { outputData } = res;
    if (outputData.length === 0) return;
    res.outputData = [];
    const taken = outputData[0]?.data === null ? outOfFlush(outputData) : outputData;
    // a caller may reuse its buffer once write() has returned
    for (const piece of taken) if (piece.data instanceof Uint8Array) piece.data = Buffer.from(piece.data);
    if (taken.length > 0) this.#pieces = joined(this.#pieces, taken);
  }

  /** Puts something else in the place of everything, and gives out who waits for what was there. */
  replace(data: Buffer, callback: WriteCallback): WriteCallback[] {
    const res = this.#res;
    this.take();
    const callbacks = this.#pieces?.map((piece) => piece.callback) ?? [];
    const accounted = res.outputSize - this.#unaccounted;
    this.#pieces = [{ data, encoding: null, callback }];
    res.outputSize = data.length;
    this.#unaccounted = data.length;
    if (accounted !== 0) this.#account(-accounted);
    return callbacks;
  }

  /** Calls back when everything that is kept was sent. */
  callAfter(callback: NonNullable<WriteCallback>): void {
    const waiting = this.#pieces ?? this.#res.outputData;
    if (waiting.length > 0) waiting.push({ data: '', encoding: null, callback });
    else nextTick(callback);
  }

  /** Node keeps more, which is to be taken. A response without a turn keeps at the expense of the connection, as always. */
  onKept(bytes: number): void {
    if (this.#res.socket) this.#unaccounted += bytes;
    else this.#account(bytes);
  }

  /** Node keeps more or less, as always, or flushes what was kept here. */
  onPendingData(delta: number): void {
    const accounted = delta < 0 ? delta + this.#unaccounted : delta;
    if (delta < 0) this.#unaccounted = 0;
    if (accounted !== 0) this.#account(accounted);
  }

  /** Node keeps more, which is to be forgotten. */
  lose(bytes: number): void {
    this.#res.outputData = [];
    this.#res.outputSize -= bytes;
  }

  /** Hands everything to the socket, or leaves it with Node until it is this response's turn. */
  release(): void {
    const res = this.#res;
    const { socket } = res;
    if (socket && !socket.writable) {
      this.drop();
      return;
    }
    if (this.#pieces) {
      res.outputData = this.#pieces;
      this.#pieces = undefined;
    } else if (!res.finished) return;
    if (socket) flush(res, socket);
  }

  /** Forgets everything and tells those who wait for it. `finish` must not fire: it was not sent. */
  drop(): void {
    const res = this.#res;
    this.take();
    const accounted = res.outputSize - this.#unaccounted;
    const pieces = this.#pieces ?? [];
    this.#pieces = undefined;
    res.outputSize = 0;
    this.#unaccounted = 0;
    if (accounted !== 0) this.#account(-accounted);
    for (const piece of pieces) {
      if (piece.callback && !isFinish(piece, res._header)) nextTick(piece.callback, destroyedError());
    }
  }
}

/** What a flush has not come to. It goes on, and is left nothing to send. */
function outOfFlush(pieces: readonly PendingOutput[]): PendingOutput[] {
  const left = pieces.filter(({ data }) => data !== null);
  const taken = left.map((piece) => ({ ...piece }));
  for (const piece of left) Object.assign(piece, { data: '', callback: undefined });
  return taken;
}

/** Whether it is Node's own last piece of a response. Others may come after it: those that were corked. */
function isFinish({ data, callback }: PendingOutput, header: string | null): boolean {
  if (callback?.name !== 'bound onFinish') return false;
  return data === '' || data === header || (typeof data === 'string' && data.startsWith('0\r\n'));
}

/** A list that grows by itself reserves room for sixteen more, and most responses have no more than three pieces. */
const FEW = 8;

function joined(first: PendingOutput[] | undefined, second: readonly PendingOutput[]): PendingOutput[] {
  if (!first) return second.slice();
  if (first.length < FEW) return first.concat(second);
  first.push(...second);
  return first;
}

/** Whoever corked the socket during the hold did so after these bytes, which would have left before. */
function flush(res: NodeResponse, socket: NonNullable<NodeResponse['socket']>): void {
  const corked = socket.writableCorked;
  const { finished } = res;
  for (let n = 0; n < corked; n++) socket.uncork();
  res._flush();
  // an end on the way has taken back every cork
  if (res.finished !== finished) return;
  for (let n = 0; n < corked; n++) socket.cork();
}
