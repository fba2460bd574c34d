import { ServerResponse } from 'node:http';
import { nextTick } from '../util/clock.js';
import { memberOf, setMember } from '../util/member-of.js';
import { destroyedError, type NodeResponse, type PendingOutput, type WriteCallback } from './node-response.js';

const { _flush } = ServerResponse.prototype as NodeResponse;

/** Decides about output of a response that Node has buffered. */
export interface OutputListener {
  readonly isHolding: boolean;
  /** Node has buffered this many bytes more, and the output is to be held. */
  onOutput(bytes: number): void;
}

/** The listener for a response's output. Other copies of this package find it by this symbol. */
const kListener = Symbol.for('express-apl-session.gate');
type ListenedResponse = NodeResponse & { _onPendingData: { [kListener]?: OutputListener } };

/**
 * The output of a held response. Node buffers it, as for a response that waits in a pipeline, so every flag that Node derives
 * from its buffer is right. This object takes the buffered pieces over, so that no other code can flush them.
 */
export class HeldOutput {
  readonly #res: NodeResponse;
  readonly #account: NodeResponse['_onPendingData'];
  /** Never empty. */
  #pieces: PendingOutput[] | undefined;
  /**
   * Bytes that are not in the connection's count of pending bytes. Each change of that count could make Node emit `drain` in
   * the middle of a write.
   */
  #uncounted = 0;
  #isReplaced = false;

  /** @param listener called for each piece of output from now on */
  constructor(response: object, listener: OutputListener) {
    const res = response as ListenedResponse;
    this.#res = res;
    this.#account = memberOf(res, '_onPendingData');
    const onPendingData: ListenedResponse['_onPendingData'] = (delta) => {
      if (delta >= 0 && listener.isHolding) listener.onOutput(delta);
      else this.#onPendingData(delta);
    };
    onPendingData[kListener] = listener;
    setMember(res, '_onPendingData', onPendingData);
  }

  /** The listener for the output of a response, which another copy of this package may have set. */
  static listenerOf(response: object): OutputListener | undefined {
    return memberOf(response as ListenedResponse, '_onPendingData')[kListener];
  }

  get any(): boolean {
    return this.#pieces !== undefined;
  }

  get bytes(): number {
    return this.#pieces?.reduce((sum, { data }) => sum + (data?.length ?? 0), 0) ?? 0;
  }

  /** The same as on the connection: Node counts the characters of texts. */
  get byteLength(): number {
    return this.#pieces?.reduce((sum, piece) => sum + byteLengthOf(piece), 0) ?? 0;
  }

  /** Whether a denial has taken the place of the output. */
  get isReplaced(): boolean {
    return this.#isReplaced;
  }

  /** Whether the header section was handed to the socket. Only right before the first output is held. */
  get headOut(): boolean {
    return memberOf(this.#res, '_headerSent') && !this.#isUnflushed;
  }

  /** Whether everything that Node has buffered was handed to the socket. */
  get allOut(): boolean {
    const last = memberOf(this.#res, 'outputData').at(-1);
    return last === undefined || last.data === null;
  }

  /** Whether Node is in the middle of a flush. */
  get flushing(): boolean {
    return memberOf(this.#res, 'outputSize') > 0 && !this.#isUnflushed;
  }

  get #isUnflushed(): boolean {
    const first = memberOf(this.#res, 'outputData')[0];
    return first !== undefined && first.data !== null;
  }

  /** At the end of a flush Node sets its count to 0, even if output was added meanwhile: this puts the count right. */
  recountAfterFlush(): void {
    if (!this.any) return;
    this.#res.outputSize = this.bytes;
    this.#uncounted = this.bytes;
  }

  /** Takes over what Node has buffered. */
  take(): void {
    const res = this.#res;
    const outputData = memberOf(res, 'outputData');
    if (outputData.length === 0) return;
    setMember(res, 'outputData', []);
    const taken = outputData[0]?.data === null ? takeUnflushed(outputData) : outputData;
    // a caller may reuse its buffer once write() has returned
    for (const piece of taken) if (piece.data instanceof Uint8Array) piece.data = Buffer.from(piece.data);
    if (taken.length > 0) this.#pieces = joined(this.#pieces, taken);
  }

  /** Replaces the held output by the bytes of a denial. Returns the pending callbacks of the output. */
  replace(data: Buffer, callback: WriteCallback): WriteCallback[] {
    const res = this.#res;
    this.#isReplaced = true;
    this.take();
    const callbacks = this.#pieces?.map((piece) => piece.callback) ?? [];
    const counted = res.outputSize - this.#uncounted;
    this.#pieces = [{ data, encoding: null, callback }];
    res.outputSize = data.length;
    this.#uncounted = data.length;
    if (counted !== 0) this.#account(-counted);
    return callbacks;
  }

  /** Calls back when all held output is flushed. */
  callAfter(callback: NonNullable<WriteCallback>): void {
    const waiting = this.#pieces ?? this.#res.outputData;
    if (waiting.length > 0) waiting.push({ data: '', encoding: null, callback });
    else nextTick(callback);
  }

  /** Node has buffered output that will be taken over. Without a turn, it counts for the connection as it always does. */
  onOutput(bytes: number): void {
    if (memberOf(this.#res, 'socket')) this.#uncounted += bytes;
    else this.#account(bytes);
  }

  /** Output was buffered or flushed while nothing is held. */
  #onPendingData(delta: number): void {
    const counted = delta < 0 ? delta + this.#uncounted : delta;
    if (delta < 0) this.#uncounted = 0;
    if (counted !== 0) this.#account(counted);
  }

  /** Drops output that Node has just buffered. */
  discard(bytes: number): void {
    this.#res.outputData = [];
    this.#res.outputSize -= bytes;
  }

  /** Hands all held output to the socket, or leaves it with Node if the response waits for its turn. */
  release(): void {
    const res = this.#res;
    const socket = memberOf(res, 'socket');
    if (socket && !socket.writable) {
      this.drop();
      return;
    }
    if (this.#pieces) {
      setMember(res, 'outputData', this.#pieces);
      this.#pieces = undefined;
    } else if (!res.finished) return;
    if (socket) flush(res, socket);
  }

  /** Drops all held output and fails its callbacks. Node's own `finish` callback must not run, as nothing was sent. */
  drop(): void {
    const res = this.#res;
    this.take();
    const counted = res.outputSize - this.#uncounted;
    const pieces = this.#pieces ?? [];
    this.#pieces = undefined;
    res.outputSize = 0;
    this.#uncounted = 0;
    if (counted !== 0) this.#account(-counted);
    for (const piece of pieces) {
      if (piece.callback && !isFinish(piece, res._header)) nextTick(piece.callback, destroyedError());
    }
  }
}

function byteLengthOf({ data, encoding }: PendingOutput): number {
  return typeof data === 'string'
    ? Buffer.byteLength(data, (encoding ?? 'utf8') as BufferEncoding)
    : (data?.length ?? 0);
}

/** Takes the pieces that a flush has not reached. The flush goes on with empty copies of them. */
function takeUnflushed(pieces: readonly PendingOutput[]): PendingOutput[] {
  const left = pieces.filter(({ data }) => data !== null);
  const taken = left.map((piece) => ({ ...piece }));
  for (const piece of left) Object.assign(piece, { data: '', callback: undefined });
  return taken;
}

/** The name of the callback with which Node emits `finish`. */
export const FINISH_CALLBACK = 'bound onFinish';

/** Whether this is Node's own last piece of a response. Corked pieces may come after it. */
function isFinish({ data, callback }: PendingOutput, header: string | null): boolean {
  if (callback?.name !== FINISH_CALLBACK) return false;
  return data === '' || data === header || (typeof data === 'string' && data.startsWith('0\r\n'));
}

/** push() reserves memory for sixteen more elements, and most responses have at most three pieces. */
const FEW = 8;

function joined(first: PendingOutput[] | undefined, second: readonly PendingOutput[]): PendingOutput[] {
  if (!first) return second.slice();
  if (first.length < FEW) return first.concat(second);
  first.push(...second);
  return first;
}

/** Uncorks first: corks of the hold came after this output, which would have left before them. */
function flush(res: NodeResponse, socket: NonNullable<NodeResponse['socket']>): void {
  const corked = socket.writableCorked;
  const finished = memberOf(res, 'finished');
  for (let n = 0; n < corked; n++) socket.uncork();
  // a response that has waited in a pipeline has its own
  if (Object.hasOwn(res, '_flush')) res._flush();
  else _flush.call(res);
  // the end of the response has removed every cork
  if (memberOf(res, 'finished') !== finished) return;
  for (let n = 0; n < corked; n++) socket.cork();
}
