import { AplSessionError } from '../contract/errors.js';
import { attempt } from '../node/connection.js';
import { detachedResponse } from '../node/detached-response.js';
import { HeldOutput, type OutputListener } from '../node/held-output.js';
import { dropOutput, type NodeResponse } from '../node/node-response.js';
import { sourcesOf } from '../node/open-pipes.js';
import { microtask, nextTick } from '../util/clock.js';
import { memberOf } from '../util/member-of.js';
import type { GateKeeper, Verdict, VerdictListener } from './gate-keeper.js';
import { assertTransition, type GateState } from './gate-state.js';
import { HeldConnection } from './held-connection.js';
import { RefusedResponse } from './refused-response.js';

/**
 * Holds the output of one response for as long as its keeper demands it.
 *
 * A closed gate takes the response's turn on its connection away, so Node buffers the output as for a pipelined request. That
 * happens below every public method, so it does not matter who wraps the response, or in which order.
 *
 * The path of a held response, from top to bottom: `close`, `onOutput`, `#hold`, `onVerdict`, and then `#open`, `#refuse` or
 * `#cut`.
 */
export class ResponseGate implements OutputListener, VerdictListener {
  readonly #res: NodeResponse;
  readonly #keeper: GateKeeper;
  readonly #output: HeldOutput;
  readonly #connection: HeldConnection;
  /** Only if the response is refused. */
  #refusedResponse: RefusedResponse | undefined;
  #state: GateState = 'open';
  #headOut = false;
  #checksEnd = false;
  #onFinish: (() => void) | undefined;

  /**
   * Puts an open gate on a response.
   * @throws AplSessionError `middleware.conflict` if it has a gate already
   */
  constructor(response: object, keeper: GateKeeper) {
    if (HeldOutput.listenerOf(response)) {
      throw new AplSessionError('middleware.conflict', 'The response is gated for another request object already.');
    }
    const res = response as NodeResponse;
    this.#res = res;
    this.#keeper = keeper;
    this.#output = new HeldOutput(res, this);
    this.#connection = new HeldConnection(res, keeper, this);
  }

  static keeperOf(response: object): GateKeeper | undefined {
    const gate = HeldOutput.listenerOf(response);
    return gate instanceof ResponseGate ? gate.#keeper : undefined;
  }

  get #refused(): RefusedResponse {
    this.#refusedResponse ??= new RefusedResponse(this.#res, this.#output);
    return this.#refusedResponse;
  }

  /** Whether the header section has left, so that no denial can replace the response. */
  get headOut(): boolean {
    if (!this.isHolding) this.#headOut ||= this.#output.headOut;
    return this.#headOut;
  }

  /** Whether output is held, or would be. */
  get isHolding(): boolean {
    return this.#state !== 'open' && this.#state !== 'cut';
  }

  /** How many bytes are held now. */
  get heldBytes(): number {
    return this.#output.byteLength;
  }

  #become(next: GateState): void {
    assertTransition(this.#state, next);
    this.#state = next;
  }

  /** Holds all output from now on, until the keeper gives a verdict. */
  close(): void {
    this.#connection.watchEnd();
    const { headOut } = this;
    // all output was handed to the socket; a response that was destroyed before its header section may have ended without any
    if (this.#state !== 'open' || (memberOf(this.#res, 'finished') && this.#output.allOut)) return;
    this.#become('closed');
    this.#connection.suspend();
    if (this.#output.flushing) microtask(() => this.#output.recountAfterFlush());
    if (headOut) this.#watchFinish();
    this.#takeOutput();
  }

  onOutput(bytes: number): void {
    // the connection was ended before this, although that is deferred, so this output is lost
    if (memberOf(this.#res, 'destroyed') || this.#connection.isEnded) {
      this.#output.discard(bytes);
      this.#watchFinish();
      return;
    }
    this.#output.onOutput(bytes);
    this.#connection.watchEnd();
    this.#takeOutput();
    this.#checkEnd();
  }

  /** The check is for the end that follows this output in the same call. One check is enough for several pieces of output. */
  #checkEnd(): void {
    if (this.#checksEnd) return;
    this.#checksEnd = true;
    nextTick(ResponseGate.#onTick, this);
  }

  static #onTick(gate: ResponseGate): void {
    gate.#checksEnd = false;
    nextTick(ResponseGate.#destroyEnded, gate);
  }

  #takeOutput(): void {
    this.#output.take();
    if (this.#state !== 'closed' || !this.#output.any) return;
    this.#become('holding');
    this.#hold();
  }

  #hold(): void {
    this.#connection.deferEnd();
    this.#keeper.settle(this);
  }

  onVerdict(verdict: Verdict): void {
    try {
      if (verdict === 'refuse') this.#refuse(() => false);
      this.#proceed();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Opens the gate, or holds again if there is another reason by now. */
  #proceed(): void {
    if (this.#state !== 'closed' && this.#state !== 'holding') return;
    if (!this.#keeper.mustHold()) {
      this.#open();
      return;
    }
    if (this.#state === 'closed') this.#become('holding');
    this.#hold();
  }

  #open(): void {
    this.#become('open');
    const deferredEnd = this.#connection.resume();
    this.#output.release();
    deferredEnd?.perform(memberOf(this.#res, 'finished'));
  }

  /** Opens the gate if nothing was sent, and the keeper does not demand it any more. */
  reconsider(): void {
    try {
      if (this.#state === 'closed' && !this.#keeper.mustHold()) this.#open();
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Ends the response with `send`, so that all of its wrappers see the end, and holds the output. Later calls of the handler
   * are dropped. Does not throw.
   */
  endBy(send: () => void): void {
    this.close();
    this.#guarded(() => this.#refused.end(send));
  }

  /**
   * Replaces the response by a denial if its header section has not left; otherwise cuts the connection. Later calls of the
   * handler are dropped.
   */
  refuse(): void {
    // a source that is still piped can only be stopped by the end of the connection
    this.#refuse(() => sourcesOf(this.#res) === 0 && this.#res.end());
    this.#refused.dropCalls(false);
  }

  /** @param send ends the response, unless it returns `false` */
  #refuse(send: () => unknown): void {
    if (this.#state === 'refusing' || this.#state === 'cut' || this.#output.isReplaced) return;
    this.close();
    const isAbandoned = this.#connection.isEndDeferred && !this.#res.writableEnded;
    if (this.#headOut || isAbandoned || this.#state === 'open') this.#cut();
    else if (!this.#replace(send)) this.#proceed();
  }

  /** Has the denial rendered, and holds everything until then. Returns whether the keeper still owes a verdict. */
  #replace(send: () => unknown): boolean {
    const res = this.#res;
    const create = (): NodeResponse => detachedResponse(res, this.#refused.ends && !this.#connection.isEndDeferred);
    // a response that the handler has ended needs no other end
    if (!res.writableEnded) this.#guarded(() => this.#refused.end(send));
    const awaitsVerdict = this.#state === 'holding';
    this.#become('refusing');
    let isLater = false;
    this.#keeper.renderDenial(create, (denial) => {
      if (this.#state !== 'refusing') return;
      const replace = (): void => {
        this.#become('holding');
        this.#refused.replaceOutput(denial);
      };
      if (!isLater) replace();
      else {
        this.#guarded(() => {
          replace();
          this.#proceed();
        });
      }
    });
    isLater = true;
    if (this.#state === 'refusing') this.#watchFinish();
    return awaitsVerdict;
  }

  /** Ends the connection so that the client can tell that the response is not complete. */
  #cut(): void {
    const res = this.#res;
    this.#become('cut');
    dropOutput(res);
    if (!res.writableEnded) this.#refused.dropCalls(false);
    const deferredEnd = this.#connection.resume();
    this.#output.drop();
    this.#connection.cut(deferredEnd);
  }

  /** A response with a Content-Length may end without more output, and Node then expects it to have its turn. */
  #watchFinish(): void {
    if (this.#onFinish) return;
    this.#onFinish = () => {
      if (!this.isHolding) return;
      if (this.#output.bytes > 0 || this.#state === 'refusing') this.#cut();
      else this.#open();
    };
    this.#res.prependListener('finish', this.#onFinish);
  }

  /**
   * Node destroys an ended response after two ticks, if nothing holds it, and then reports a late write to its callback
   * only. Without that, Node would emit an error, which ends a process that does not listen for it.
   */
  static #destroyEnded(gate: ResponseGate): void {
    const res = gate.#res;
    const isHeld = gate.#state === 'closed' || gate.#state === 'holding';
    if (isHeld && !gate.#output.isReplaced && memberOf(res, 'finished') && memberOf(res, 'socket'))
      res.destroyed = true;
  }

  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** An error of a listener, or of this class, must end this connection and not the process. */
  #fail(error: unknown): void {
    attempt(() => this.#cut());
    this.#connection.destroy(error as Error);
  }
}
