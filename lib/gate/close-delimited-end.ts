import type { Socket } from 'node:net';
import { destroyConnection } from '../node/connection.js';
import { type Call, type Interceptor, interceptMethods, removeInterceptor } from '../node/method-interceptor.js';
import type { NodeResponse } from '../node/node-response.js';
import { blockPipeline } from '../node/response-turn.js';
import { DeferredEnd } from './deferred-end.js';
import type { GateKeeper, Verdict } from './gate-keeper.js';

/**
 * Holds the end of the connection of a close-delimited response. That end completes the response, so it is output, and it may
 * come when no byte is left to be held.
 */
export class CloseDelimitedEnd implements Interceptor {
  readonly #res: NodeResponse;
  readonly #socket: Socket;
  readonly #keeper: GateKeeper;
  #requested = false;

  constructor(res: NodeResponse, socket: Socket, keeper: GateKeeper) {
    this.#res = res;
    this.#socket = socket;
    this.#keeper = keeper;
    interceptMethods(socket, ['destroy', 'end'], this);
    res.once('close', () => removeInterceptor(socket, this));
  }

  /** Whether the app has ended the connection, and that end is held. */
  get requested(): boolean {
    return this.#requested;
  }

  onCall(call: Call): unknown {
    const socket = this.#socket;
    if (!socket.writable || !this.#keeper.mustHold()) return call.proceed();
    blockPipeline(socket, this.#res);
    const deferredEnd = new DeferredEnd(this.#res, socket);
    const result = deferredEnd.onCall(call);
    if (deferredEnd.requested) {
      this.#requested = true;
      this.#keeper.settle({ onVerdict: (verdict) => this.#conclude(deferredEnd, verdict) });
    }
    return result;
  }

  #conclude(deferredEnd: DeferredEnd, verdict: Verdict): void {
    if (verdict === 'refuse') {
      deferredEnd.reset();
      return;
    }
    deferredEnd.restore();
    try {
      deferredEnd.perform(true);
    } catch (error) {
      // invalid arguments of the app's call must end this connection and not the process
      destroyConnection(this.#socket, error as Error);
    }
  }
}
