import type { Socket } from 'node:net';
import { endingMethodOf, endsWithConnection, type NodeResponse, resetConnection } from './node-response.js';
import { type Call, type Front, shadowMethods, unshadowMethods } from './shadow-methods.js';

/** How long destruction is put off at most, and how long a complete answer may then take to get out. */
const LIMIT_MS = 2_000;

/** Everything else by which a socket is ended leads to these. */
const ENDS = ['destroy', 'end'] as const;

/**
 * Puts off the end of a connection while a response on it is held. Without the hold the bytes would have been handed to
 * the kernel before: Express destroys the socket when a handler throws after it has answered, and `server.close()`
 * destroys those of answered requests.
 *
 * A connection that is gone (the client has left, or there is an error) is let go at once, with a reset if its end could
 * be taken for that of the response.
 */
export class DeferredEnd implements Front {
  readonly #res: NodeResponse;
  readonly #socket: Socket;
  /** The end of the writable half that was asked for. */
  #end: Call | undefined;
  /** Runs if destruction was asked for. */
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
      // a client that closes its half has left, as Node sees it
      if (socket.readableEnded) return this.#lose(call);
      this.#end ??= call;
      return socket;
    }
    const [error] = call.args;
    if (error) return this.#lose(call, error as Error);
    // what was held is lost then, and the end of the connection must not look like the end of a response
    this.#limit ??= setTimeout(() => this.#reset(), LIMIT_MS).unref();
    return socket;
  }

  /** What is held is lost. */
  #lose(call: Call, error?: Error): unknown {
    const { _header } = this.#res;
    return _header !== null && endsWithConnection(this.#res) ? this.#reset(error) : call.proceed();
  }

  #reset(error?: Error): Socket {
    this.restore();
    resetConnection(this.#socket, error);
    return this.#socket;
  }

  /** Whether somebody wanted the connection to end. */
  get requested(): boolean {
    return this.#limit !== undefined || this.#end !== undefined;
  }

  /** Lets every end through again; does not yet perform what was asked for. */
  restore(): void {
    clearTimeout(this.#limit);
    unshadowMethods(this.#socket, this);
  }

  /** Does now what was asked for; a complete answer that was just flushed is let out first. */
  perform(answered: boolean): void {
    const socket = this.#socket;
    if (this.#limit === undefined) {
      this.#end?.proceed();
      return;
    }
    if (!answered) {
      socket.destroy();
      return;
    }
    const limit = setTimeout(() => socket.destroy(), LIMIT_MS).unref();
    socket.once('close', () => clearTimeout(limit));
    socket[endingMethodOf(socket)]();
  }
}
