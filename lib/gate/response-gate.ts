import type { Socket } from 'node:net';
import { AplSessionError } from '../contract/errors.js';
import { attempt, destroyConnection, resetConnection } from '../node/connection.js';
import { detachedResponse } from '../node/detached-response.js';
import { HeldOutput } from '../node/held-output.js';
import { sourcesOf } from '../node/open-pipes.js';
import { ResponseTurn, type TurnListener } from '../node/response-turn.js';
import { endsWithConnection, loseConnection, type NodeResponse, renderedStatus } from '../node/server-response.js';
import { microtask, nextTick } from '../util/clock.js';
import { type EndGuard, guardEnd } from './close-delimited-end.js';
import { DeferredEnd } from './deferred-end.js';
import { DroppedCalls } from './dropped-calls.js';
import type { GateKeeper, Verdict, VerdictListener } from './gate-keeper.js';
import { loseOutput, replaceOutput } from './replaced-output.js';

/** Known to other copies of this package. */
const kGate = Symbol.for('express-apl-session.gate');
type GatedResponse = NodeResponse & { _onPendingData: { [kGate]?: ResponseGate } };

/**
 * Holds back the bytes of one response for as long as its keeper says so.
 *
 * A response whose gate is closed has lost its turn on the connection, so Node keeps what it sends, below every public
 * method, as it does in a pipeline. So whatever wraps the response, and in whatever order, ends up here; and the
 * response looks to everybody like one that has accepted the data, because it is one.
 */
export class ResponseGate implements VerdictListener, TurnListener {
  readonly #res: NodeResponse;
  readonly #keeper: GateKeeper;
  readonly #kept: HeldOutput;
  readonly #turn: ResponseTurn;
  /** That of the request, also while the response waits in a pipeline. */
  readonly #connection: Socket | null | undefined;
  #closed = false;
  /** Something was sent since the gate was closed. */
  #holding = false;
  #refused = false;
  /** A refusal is being made. */
  #rendering = false;
  #headOut = false;
  #endChecked = false;
  #finishWatched = false;
  #ending: DeferredEnd | undefined;
  /** Stands before the end of a connection that is the end of the response. */
  #endGuard: EndGuard | undefined;
  /** What the handler still does, once the response is refused. */
  #dropped: DroppedCalls | undefined;

  private constructor(res: GatedResponse, keeper: GateKeeper) {
    this.#res = res;
    this.#keeper = keeper;
    this.#connection = res.req.socket;
    this.#kept = new HeldOutput(res);
    const onPendingData: GatedResponse['_onPendingData'] = (delta) => {
      if (this.#closed && delta >= 0) this.#onKept(delta);
      else this.#kept.onPendingData(delta);
    };
    onPendingData[kGate] = this;
    res._onPendingData = onPendingData;
    this.#turn = new ResponseTurn(res, this);
  }

  /**
   * Puts a gate on a response, which is open.
   * @throws AplSessionError `middleware.conflict` if it has one with another keeper
   */
  static on(response: object, keeper: GateKeeper): ResponseGate {
    const res = response as GatedResponse;
    if (res._onPendingData[kGate]) {
      throw new AplSessionError('middleware.conflict', 'The response is gated for another request object already.');
    }
    return new ResponseGate(res, keeper);
  }

  /** The keeper of the gate of a response, if it has one. */
  static keeperOf(response: object): GateKeeper | undefined {
    const gate = (response as GatedResponse)._onPendingData[kGate];
    return gate === undefined ? undefined : gate.#keeper;
  }

  /** Whether the head of the response has left, so that it cannot be replaced any more. */
  get headOut(): boolean {
    if (!this.#closed) this.#headOut ||= this.#res._headerSent && !this.#kept.untouched;
    return this.#headOut;
  }

  /** From now on no byte leaves; whether one may is asked when there is one. */
  close(): void {
    this.#guardEnd();
    const res = this.#res;
    const headOut = this.headOut;
    // all of it is with the socket; one that was destroyed before its head was made may have ended without any
    if (this.#closed || (res.finished && this.#kept.allOut)) return;
    this.#closed = true;
    this.#turn.suspend();
    if (this.#kept.flushing) microtask(() => this.#kept.recountAfterFlush());
    if (headOut) this.#watchFinish();
    this.#takeOver();
  }

  /** Opens the gate if it need not be closed, and nothing was sent that waits for a verdict. */
  reconsider(): void {
    this.#guarded(() => {
      if (this.#closed && !this.#holding && !this.#keeper.mustHold()) this.#open();
    });
  }

  /**
   * Ends the response by what `send` sends, for all who wrap it. What they make of that is held; what handlers do after it
   * is dropped. Does not throw.
   */
  endBy(send: () => void): void {
    this.close();
    this.#end(send);
  }

  /** @param send ends the response, unless it returns `false` */
  #end(send: () => unknown): void {
    const res = this.#res;
    let ends: unknown;
    try {
      if (!this.#dropped) ends = send();
    } catch {
      // a listener on the head has thrown, so the response ends without it
      this.#guarded(() => res.end());
    }
    this.#drop(ends !== false);
  }

  #drop(ends: boolean): void {
    this.#dropped ??= new DroppedCalls(this.#res, ends);
  }

  /**
   * Replaces the response by a refusal if its head has not left, and ends it then, else cuts the connection. Whatever the
   * handlers do to it after that is dropped.
   */
  refuse(): void {
    // who is still piping can only be told to stop by the end of the connection
    this.#refuse(() => sourcesOf(this.#res) === 0 && this.#res.end());
    this.#drop(false);
  }

  #refuse(send: () => unknown): void {
    if (this.#refused) return;
    this.close();
    this.#refused = true;
    const abandoned = this.#ending?.requested && !this.#res.writableEnded;
    if (this.#headOut || abandoned || !this.#closed) this.#cut();
    else this.#replace(send);
    if (!this.#holding) this.#proceed();
  }

  #onKept(bytes: number): void {
    // what is sent after the connection was ended is lost, also while that is put off
    if (this.#res.destroyed || this.#ending?.requested || this.#endGuard?.()) {
      this.#kept.lose(bytes);
      this.#watchFinish();
      return;
    }
    this.#kept.onKept(bytes);
    this.#takeOver();
    nextTick(nextTick, ResponseGate.#destroyEnded, this);
  }

  #takeOver(): void {
    this.#guardEnd();
    this.#kept.take();
    if (!this.#holding && this.#kept.any) this.#hold();
  }

  /**
   * Node destroys a response two ticks after its end, if nothing holds it, and then tells a late write by its callback
   * alone. Before that it emits an error, which ends a process that does not listen for it.
   */
  static #destroyEnded(gate: ResponseGate): void {
    const res = gate.#res;
    if (gate.#closed && !gate.#refused && res.finished && res.socket) res.destroyed = true;
  }

  #hold(): void {
    this.#holding = true;
    this.#deferEnd();
    this.#keeper.settle(this);
  }

  /** Once the head is made, and the response has its turn, it is known how it ends. */
  #guardEnd(): void {
    const res = this.#res;
    if (this.#endChecked || !res._header || !res.socket) return;
    this.#endChecked = true;
    if (endsWithConnection(res)) this.#endGuard = guardEnd(res, res.socket, this.#keeper);
  }

  /** A response may end without sending anything more, if it has a length for example; Node wants it to have its turn then. */
  #watchFinish(): void {
    if (this.#finishWatched) return;
    this.#finishWatched = true;
    this.#res.prependListener('finish', () => {
      if (!this.#closed) return;
      if (this.#kept.bytes > 0 || this.#rendering) this.#cut();
      else this.#open();
    });
  }

  #deferEnd(): void {
    const { socket } = this.#res;
    if (socket) this.#ending ??= new DeferredEnd(this.#res, socket);
  }

  get status(): number | undefined {
    return renderedStatus(this.#res);
  }

  onTurn(): void {
    if (this.#holding) this.#deferEnd();
  }

  onVerdict(verdict: Verdict): void {
    this.#guarded(() => {
      if (verdict === 'refuse') this.#refuse(() => false);
      this.#proceed();
    });
  }

  #proceed(): void {
    if (this.#rendering || !this.#closed) return;
    if (this.#keeper.mustHold()) this.#hold();
    else this.#open();
  }

  /** A listener that throws, or a fault of this class, must cost this connection and not the process. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      attempt(() => this.#cut());
      destroyConnection(this.#connection, error as Error);
    }
  }

  #open(): void {
    const ending = this.#letGo();
    this.#kept.release();
    ending?.perform(this.#res.writableEnded);
  }

  #letGo(): DeferredEnd | undefined {
    const ending = this.#ending;
    this.#ending = undefined;
    this.#closed = false;
    this.#holding = false;
    this.#turn.resume();
    ending?.restore();
    return ending;
  }

  /** Has the refusal made, and holds the response until it is there. */
  #replace(send: () => unknown): void {
    const res = this.#res;
    const ends = (): boolean => this.#dropped?.ends ?? res.writableEnded;
    const create = (): NodeResponse => detachedResponse(res, ends() && !res._last && !this.#ending?.requested);
    let later = false;
    // a handler that has ended its response gets what Node has for it, as without the refusal
    if (!res.writableEnded) this.#end(send);
    this.#rendering = true;
    this.#keeper.answerRefusal(create, (refusal) => {
      this.#rendering = false;
      const step = (): void => replaceOutput(res, this.#kept, refusal, this.#dropped);
      if (!later) step();
      else {
        this.#guarded(() => {
          step();
          this.#proceed();
        });
      }
    });
    later = true;
    if (this.#rendering) this.#watchFinish();
  }

  /** Ends the connection so that the client can tell that the response is not complete. */
  #cut(): void {
    const { socket } = this.#res;
    this.#refused = true;
    loseOutput(this.#res);
    if (!this.#res.writableEnded) this.#drop(false);
    const ending = this.#letGo();
    this.#kept.drop();
    if (!socket || socket.destroyed) return;
    if (endsWithConnection(this.#res)) resetConnection(socket);
    else destroyConnection(socket);
    ending?.abandon();
    if (!socket.destroyed) loseConnection(this.#res);
  }
}
