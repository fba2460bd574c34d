import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { endConnection, isConnectionError, resetConnection } from '../node/connection.js';
import { type Call, type Front, shadowMethods, unshadowMethods } from '../node/method-interceptor.js';
import { destroyedError, endsWithConnection, type NodeResponse } from '../node/server-response.js';
import { clearTimeout, nextTick, setTimeout } from '../util/clock.js';

/** How long destruction is put off at most, and how long a complete answer may then take to get out. */
const LIMIT_MS = 2_000;

/** Everything else by which a socket is ended leads to these. */
const ENDS = ['destroy', 'end'] as const;

const NONE: readonly Call[] = Object.freeze([]);

/**
 * Puts off the end of a connection while a response on it is held. Without the hold the bytes would have been handed to
 * the kernel before: Express destroys the socket when a handler throws after it has answered, `server.close()` those of
 * answered requests, and Hono's adapter a response whose error it has answered.
 *
 * A connection that is gone (the client has left, or there is an error of the connection) is let go at once, with a reset
 * if the client could take a normal close for the end of the response.
 */
export class DeferredEnd implements Front {
  readonly #res: NodeResponse;
  readonly #socket: Socket;
  /** Ends of the writable half that were asked for. */
  #ends = NONE;
  /** The first destruction that was asked for. */
  #destruction: Call | undefined;
  /** Runs from then on. */
  #limit: NodeJS.Timeout | undefined;

  constructor(res: NodeResponse, socket: Socket) {
    this.#res = res;
    this.#socket = socket;
    shadowMethods(socket, ENDS, this);
  }

  onCall(call: Call): unknown {
    const socket = this.#socket;
    if (!socket.writable) return call.proceed();
    if (call.method === 'end') {
      if (hasLeft(socket)) return this.#lose(call);
      this.#ends = this.#ends.concat(call);
      return socket;
    }
    const [error] = call.args;
    if (isConnectionError(error)) return this.#lose(call, error);
    this.#destruction ??= call;
    // what was held is lost then, and the end of the connection must not look like the end of a response
    this.#limit ??= setTimeout(() => this.reset(), LIMIT_MS).unref();
    return socket;
  }

  /** What is held is lost. */
  #lose(call: Call, error?: Error): unknown {
    const { _header } = this.#res;
    if (_header === null || !endsWithConnection(this.#res)) return call.proceed();
    if (call.method === 'end') this.#ends = this.#ends.concat(call);
    this.reset(error);
    return this.#socket;
  }

  /** Whether somebody wanted the connection to end. */
  get requested(): boolean {
    return this.#destruction !== undefined || this.#ends.length > 0;
  }

  /** Lets every end through again; does not yet perform what was asked for. */
  restore(): void {
    clearTimeout(this.#limit);
    unshadowMethods(this.#socket, this);
  }

  /** Does now what was asked for; a complete answer that was just flushed is let out first. */
  perform(answered: boolean): void {
    const socket = this.#socket;
    for (const end of this.#ends) end.proceed();
    const destruction = this.#destruction;
    if (destruction === undefined) return;
    if (!answered) {
      destruction.proceed();
      return;
    }
    const limit = setTimeout(() => destruction.proceed(), LIMIT_MS).unref();
    socket.once?.('close', () => clearTimeout(limit));
    // who waits for the error of the connection hears of it, but after the answer
    if (destruction.args[0] !== undefined) socket.once?.('finish', () => destruction.proceed());
    endConnection(socket);
  }

  /** Ends the connection in a way that is no end of a response. */
  reset(error?: Error): void {
    this.restore();
    resetConnection(this.#socket, error);
    this.abandon();
  }

  /** The connection is destroyed. Whoever waits for an end of it hears that; Node would not tell all of them. */
  abandon(): void {
    for (const { args } of this.#ends) {
      for (const arg of args) if (typeof arg === 'function') nextTick(arg as () => void, destroyedError());
    }
  }
}

/** Whether the client has left, as Node sees it: it has closed its half, and the server does not go on with half of a connection. */
function hasLeft(socket: Socket): boolean {
  const { server } = socket as Socket & { server?: Server & { httpAllowHalfOpen?: boolean } };
  return socket.readableEnded && !server?.httpAllowHalfOpen;
}
