import type { Socket } from 'node:net';
import { endingMethodOf, resetConnection } from './node-response.js';
import { type Front, shadowMethod, unshadowMethod } from './shadow-method.js';

/** How long destruction is put off at most, and how long a complete answer may then take to get out. */
const LIMIT_MS = 2_000;

/**
 * Puts off the destruction of a socket while a response on it is held. Without the hold the bytes would have been
 * handed to the kernel before: Express destroys the socket when a handler throws after it has answered, and
 * `server.close()` destroys the sockets of answered requests.
 *
 * A connection that is gone (the client has left, or there is an error) is let go at once.
 */
export class DeferredDestroy implements Front<Socket['destroy']> {
  readonly #socket: Socket;
  #limit: NodeJS.Timeout | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    shadowMethod(socket, 'destroy', this);
  }

  inFrontOf(destroy: Socket['destroy']): Socket['destroy'] {
    return (error) => {
      const socket = this.#socket;
      if (error || !socket.writable) return destroy(error);
      // what was held is lost then, and the end of the connection must not look like the end of a response
      this.#limit ??= setTimeout(() => this.#giveUp(), LIMIT_MS).unref();
      return socket;
    };
  }

  #giveUp(): void {
    this.restore();
    resetConnection(this.#socket);
  }

  /** Whether somebody wanted the socket destroyed. */
  get requested(): boolean {
    return this.#limit !== undefined;
  }

  /** Lets destruction through again; does not yet perform what was asked for. */
  restore(): void {
    unshadowMethod(this.#socket, 'destroy', this);
  }

  /** Does now what was asked for; a complete answer that was just flushed is let out first. */
  perform(answered: boolean): void {
    if (this.#limit === undefined) return;
    clearTimeout(this.#limit);
    const socket = this.#socket;
    if (!answered) {
      socket.destroy();
      return;
    }
    const limit = setTimeout(() => socket.destroy(), LIMIT_MS).unref();
    socket.once('close', () => clearTimeout(limit));
    socket[endingMethodOf(socket)]();
  }
}
