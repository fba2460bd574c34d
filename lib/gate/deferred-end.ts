import type { Socket } from 'node:net';
import { endConnection, hasClientLeft, isConnectionError, resetConnection } from '../node/connection.js';
import { type Call, type Interceptor, interceptMethods, removeInterceptor } from '../node/method-interceptor.js';
import { destroyedError, hasHead, isCloseDelimited, type NodeResponse } from '../node/node-response.js';
import { clearTimeout, nextTick, setTimeout } from '../util/clock.js';

/** The longest time for which destroying a connection is deferred, and in which a complete response must then leave. */
const LIMIT_MS = 2_000;

/** All other methods that end a socket call one of these. */
const ENDS = ['destroy', 'end'] as const;

const NO_CALLS: readonly Call[] = Object.freeze([]);

/**
 * Defers the end of a connection while a response on it is held. Without the hold, the bytes would have left before: Express
 * destroys the socket when a handler throws after it has answered, `server.close()` destroys the connections of answered
 * requests, and Hono's adapter destroys a response whose error it has answered.
 *
 * If the client has left or the connection is broken, the connection ends at once, with a reset if the client could take the
 * end for a complete response.
 */
export class DeferredEnd implements Interceptor {
  readonly #res: NodeResponse;
  readonly #socket: Socket;
  /** Deferred calls of `end`. */
  #ends = NO_CALLS;
  /** The first deferred call of `destroy`. */
  #destroy: Call | undefined;
  /** Runs from that call on. */
  #limit: NodeJS.Timeout | undefined;

  constructor(res: NodeResponse, socket: Socket) {
    this.#res = res;
    this.#socket = socket;
    interceptMethods(socket, ENDS, this);
  }

  onCall(call: Call): unknown {
    const socket = this.#socket;
    if (!socket.writable) return call.proceed();
    if (call.method === 'end') {
      if (hasClientLeft(socket)) return this.#endNow(call);
      this.#ends = this.#ends.concat(call);
      return socket;
    }
    const [error] = call.args;
    if (isConnectionError(error)) return this.#endNow(call, error);
    this.#destroy ??= call;
    // the held output is lost then, and the end of the connection must not look like a complete response
    this.#limit ??= setTimeout(() => this.reset(), LIMIT_MS).unref();
    return socket;
  }

  /** Ends the connection. The held output is lost. */
  #endNow(call: Call, error?: Error): unknown {
    if (!hasHead(this.#res) || !isCloseDelimited(this.#res)) return call.proceed();
    if (call.method === 'end') this.#ends = this.#ends.concat(call);
    this.reset(error);
    return this.#socket;
  }

  /** Whether a call that ends the connection is deferred. */
  get requested(): boolean {
    return this.#destroy !== undefined || this.#ends.length > 0;
  }

  /** Stops deferring. Does not perform the deferred calls. */
  restore(): void {
    clearTimeout(this.#limit);
    removeInterceptor(this.#socket, this);
  }

  /**
   * Performs the deferred calls.
   * @param isAnswered whether a complete response was just flushed: the connection is then destroyed only after that has left
   */
  perform(isAnswered: boolean): void {
    const socket = this.#socket;
    for (const end of this.#ends) end.proceed();
    const destroy = this.#destroy;
    if (destroy === undefined) return;
    if (!isAnswered) {
      destroy.proceed();
      return;
    }
    const limit = setTimeout(() => destroy.proceed(), LIMIT_MS).unref();
    socket.once?.('close', () => clearTimeout(limit));
    // listeners for the error of the connection get it, but after the response has left
    if (destroy.args[0] !== undefined) socket.once?.('finish', () => destroy.proceed());
    endConnection(socket);
  }

  /** Resets the connection, so that its end does not look like a complete response. */
  reset(error?: Error): void {
    this.restore();
    resetConnection(this.#socket, error);
    this.abandon();
  }

  /** The connection is destroyed: fails the callbacks of the deferred calls, as Node does not call all of them. */
  abandon(): void {
    for (const { args } of this.#ends) {
      for (const arg of args) if (typeof arg === 'function') nextTick(arg as () => void, destroyedError());
    }
  }
}
