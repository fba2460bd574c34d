import { AplSessionError } from '../contract/errors.js';
import { DeferredDestroy } from './deferred-destroy.js';
import { bytesOf, detachedResponse } from './detached-response.js';
import type { GateKeeper, Verdict, VerdictListener } from './gate-keeper.js';
import { guardEnd } from './guarded-end.js';
import { KeptOutput } from './kept-output.js';
import {
  endingMethodOf,
  endsWithConnection,
  FINISHES_AT_END,
  impersonate,
  type NodeResponse,
  renderedStatus,
  resetConnection,
  type WriteCallback,
} from './node-response.js';

const kGate = Symbol('express-apl-session.gate');
type GatedResponse = NodeResponse & { [kGate]?: ResponseGate };

/**
 * Holds back the bytes of one response for as long as its keeper says so.
 *
 * It stands where Node hands bytes to the socket, below every public method, and keeps them where Node keeps the bytes
 * of a pipelined response that waits for its turn. So whatever wraps the response, and in whatever order, ends up here;
 * and the response looks to everybody like one that has accepted the data, because it is one.
 */
export class ResponseGate implements VerdictListener {
  readonly #res: NodeResponse;
  readonly #keeper: GateKeeper;
  readonly #writeRaw: NodeResponse['_writeRaw'];
  readonly #kept: KeptOutput;
  #holding = false;
  #refused = false;
  /** A refusal is being made. */
  #rendering = false;
  #headOut: boolean;
  #endChecked = false;
  #finishGated = false;
  #destroy: DeferredDestroy | undefined;

  private constructor(res: NodeResponse, keeper: GateKeeper) {
    this.#res = res;
    this.#keeper = keeper;
    this.#writeRaw = res._writeRaw;
    this.#kept = new KeptOutput(res);
    this.#headOut = res._headerSent && res.outputData.length === 0;
    res._writeRaw = ResponseGate.#gatedWriteRaw;
    res._flush = ResponseGate.#gatedFlush;
    this.#guardEnd();
  }

  // the same functions for all responses: a closure for each is memory, and keeps the compiler from knowing what is called
  static readonly #gatedWriteRaw: GatedResponse['_writeRaw'] = function (
    this: GatedResponse,
    data,
    encoding,
    callback,
    size,
  ) {
    return (this[kGate] as ResponseGate).#onWrite(data, encoding, callback, size);
  };
  static readonly #gatedFlush: GatedResponse['_flush'] = function (this: GatedResponse) {
    (this[kGate] as ResponseGate).#onFlush();
  };

  /** `writableFinished` while Node keeps bytes is not what it is without a hold, when the socket has them. */
  static readonly #gatedFinish: PropertyDescriptor & ThisType<GatedResponse> = {
    configurable: true,
    get() {
      if ((this[kGate] as ResponseGate).#holding) return this.finished;
      return Reflect.get(Object.getPrototypeOf(this), 'writableFinished', this);
    },
  };

  /**
   * Puts a gate on a response.
   * @throws AplSessionError `middleware.conflict` if it has one with another keeper
   */
  static on(response: object, keeper: GateKeeper): ResponseGate {
    const res = response as GatedResponse;
    if (res[kGate]) {
      throw new AplSessionError('middleware.conflict', 'The response is gated for another request object already.');
    }
    res[kGate] = new ResponseGate(res, keeper);
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
    this.#guardEnd();
    if (this.#refused) return this.#discard(callback);
    // what is sent after the socket was destroyed is lost, also while the destruction is put off
    if (this.#destroy?.requested) return false;
    const res = this.#res;
    const nothing = data.length === 0 && res.finished && !this.#holding;
    if (nothing || res.socket?.destroyed || !(this.#holding || this.#keeper.mustHold())) {
      const accepted = this.#writeRaw.call(res, data, encoding, callback, size);
      this.#headOut ||= res._headerSent && res.outputData.length === 0;
      return accepted;
    }
    this.#kept.add(data, encoding, callback, !this.#holding);
    this.#hold();
    return false;
  }

  /** Drops what comes after a refusal; to whom it matters, it is sent when the refusal is. */
  #discard(callback: WriteCallback): boolean {
    if (callback && this.#res.outputData.length > 0) this.#kept.add('', null, callback, !this.#holding);
    else if (callback) process.nextTick(callback);
    return false;
  }

  /** Node calls this when it is the response's turn in the pipeline. */
  #onFlush(): void {
    this.#guardEnd();
    if (this.#holding) {
      this.#deferDestroy();
      return;
    }
    if (this.#res.outputData.length > 0 && this.#keeper.mustHold()) this.#hold();
    else this.#release();
  }

  #hold(): void {
    if (this.#holding) return;
    this.#beginHold();
    this.#settle();
  }

  #beginHold(): void {
    this.#holding = true;
    this.#deferDestroy();
    if (!FINISHES_AT_END || this.#finishGated) return;
    this.#finishGated = true;
    Object.defineProperty(this.#res, 'writableFinished', ResponseGate.#gatedFinish);
  }

  /** Once the head is made, and the response has its turn, it is known how it ends. */
  #guardEnd(): void {
    const res = this.#res;
    if (this.#endChecked || res._header === null || !res.socket) return;
    this.#endChecked = true;
    if (endsWithConnection(res)) guardEnd(res, res.socket, this.#keeper);
  }

  #deferDestroy(): void {
    const { socket } = this.#res;
    if (socket) this.#destroy ??= new DeferredDestroy(socket);
  }

  #unhold(): DeferredDestroy | undefined {
    const destroy = this.#destroy;
    this.#holding = false;
    this.#destroy = undefined;
    destroy?.restore();
    return destroy;
  }

  #settle(): void {
    this.#keeper.settle(renderedStatus(this.#res), this);
  }

  onVerdict(verdict: Verdict): void {
    this.#guarded(() => {
      if (verdict === 'refuse') this.refuse();
      this.#proceed();
    });
  }

  #proceed(): void {
    if (this.#rendering) return;
    if (this.#keeper.mustHold()) this.#settle();
    else this.#release();
  }

  /** A listener that throws, or a fault of this class, must cost this connection and not the process. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#cut();
      this.#res.req.socket.destroy(error as Error);
    }
  }

  #release(): void {
    const res = this.#res;
    const destroy = this.#unhold();
    this.#kept.release();
    this.#headOut ||= res._headerSent && res.outputData.length === 0;
    destroy?.perform(res.writableEnded);
  }

  /** Has the refusal made, and holds the response until it is there. */
  #replace(): void {
    const res = this.#res;
    const create = (): NodeResponse => detachedResponse(res, res.writableEnded && !res._last);
    let later = false;
    this.#rendering = true;
    this.#keeper.answerRefusal(create, (refusal) => {
      this.#rendering = false;
      if (!later) this.#replaceBy(refusal);
      else {
        this.#guarded(() => {
          this.#replaceBy(refusal);
          this.#proceed();
        });
      }
    });
    later = true;
    if (this.#rendering && !this.#holding) this.#beginHold();
  }

  /** Puts the refusal in the place of everything that was kept. */
  #replaceBy(refusal: NodeResponse): void {
    const res = this.#res;
    const ended = res.writableEnded;
    const callbacks = this.#kept.take().map(({ callback }) => callback);
    impersonate(res, refusal);
    const onSent: WriteCallback = (error) => {
      for (const callback of callbacks) callback?.(error);
      // the handler may never end its response, but the client has all that it will get
      if (!ended && res.socket) res.socket[endingMethodOf(res.socket)]();
    };
    this.#kept.add(bytesOf(refusal), null, onSent, true);
  }

  /** Ends the connection so that the client can tell that the response is not complete. */
  #cut(): void {
    const { socket } = this.#res;
    this.#refused = true;
    this.#unhold();
    this.#kept.drop();
    if (!socket || socket.destroyed) return;
    if (endsWithConnection(this.#res)) resetConnection(socket);
    else socket.destroy();
  }
}
