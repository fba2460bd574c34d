import type { Socket } from 'node:net';
import { destroyConnection, resetConnection } from '../node/connection.js';
import { emitClose, hasHead, isCloseDelimited, type NodeResponse } from '../node/node-response.js';
import { ResponseTurn, type TurnListener } from '../node/response-turn.js';
import { memberOf } from '../util/member-of.js';
import { CloseDelimitedEnd } from './close-delimited-end.js';
import { DeferredEnd } from './deferred-end.js';
import type { GateKeeper } from './gate-keeper.js';

/** The gate of the response. */
interface HeldHead {
  /** Whether the header section has left. */
  readonly headOut: boolean;
}

/** The connection of a held response: the response's turn on it, and calls that end it during the hold. */
export class HeldConnection implements TurnListener {
  readonly #res: NodeResponse;
  readonly #keeper: GateKeeper;
  readonly #gate: HeldHead;
  readonly #turn: ResponseTurn;
  /** The connection of the request. The response itself has no connection while it waits in a pipeline. */
  readonly #connection: Socket | null | undefined;
  #defersEnd = false;
  #deferredEnd: DeferredEnd | undefined;
  /** `undefined` until the header section is rendered; `null` if the response is not close-delimited. */
  #closeDelimitedEnd: CloseDelimitedEnd | null | undefined;

  constructor(res: NodeResponse, keeper: GateKeeper, gate: HeldHead) {
    this.#res = res;
    this.#keeper = keeper;
    this.#gate = gate;
    this.#connection = memberOf(memberOf(res, 'req'), 'socket');
    this.#turn = new ResponseTurn(res, this);
  }

  get isHeadOut(): boolean {
    return this.#gate.headOut;
  }

  onTurn(): void {
    if (this.#defersEnd) this.deferEnd();
  }

  /** Makes Node buffer all output, as if the response did not have its turn. */
  suspend(): void {
    this.#turn.suspend();
  }

  /** Defers calls that end the connection, from the response's turn on. */
  deferEnd(): void {
    const socket = memberOf(this.#res, 'socket');
    this.#defersEnd = true;
    if (socket) this.#deferredEnd ??= new DeferredEnd(this.#res, socket);
  }

  /** Whether a deferred call will end the connection. */
  get isEndDeferred(): boolean {
    return this.#deferredEnd?.requested ?? false;
  }

  /** Whether the app has ended the connection, so that later output is lost. */
  get isEnded(): boolean {
    return this.isEndDeferred || (this.#closeDelimitedEnd?.requested ?? false);
  }

  /** From the header section on it is known whether the end of the connection belongs to the response. */
  watchEnd(): void {
    const res = this.#res;
    if (this.#closeDelimitedEnd !== undefined || !hasHead(res)) return;
    const socket = memberOf(res, 'socket');
    if (!socket) return;
    this.#closeDelimitedEnd = isCloseDelimited(res) ? new CloseDelimitedEnd(res, socket, this.#keeper) : null;
  }

  /** Gives the response its turn back. Returns the deferred calls, which are still to be performed or abandoned. */
  resume(): DeferredEnd | undefined {
    const deferredEnd = this.#deferredEnd;
    this.#deferredEnd = undefined;
    this.#defersEnd = false;
    this.#turn.resume();
    deferredEnd?.restore();
    return deferredEnd;
  }

  /** Ends the connection so that the client can tell that the response is not complete. */
  cut(deferredEnd: DeferredEnd | undefined): void {
    const { socket } = this.#res;
    if (!socket || socket.destroyed) return;
    if (isCloseDelimited(this.#res)) resetConnection(socket);
    else destroyConnection(socket);
    deferredEnd?.abandon();
    if (!socket.destroyed) emitClose(this.#res);
  }

  destroy(error: Error): void {
    destroyConnection(this.#connection, error);
  }
}
