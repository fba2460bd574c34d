import type { Socket } from 'node:net';

/**
 * Puts off the destruction of a socket while a response on it is held. Without the hold the bytes would have been
 * handed to the kernel before: Express destroys the socket when a handler throws after it has answered, and
 * `server.close()` destroys the sockets of answered requests. Bounded by the hold, so by the deadline of the store.
 *
 * A connection that is gone (the client has left, or the system reports an error) is let go at once.
 */
export class DeferredDestroy {
  readonly #socket: Socket;
  readonly #original: PropertyDescriptor | undefined;
  readonly #stub: Socket['destroy'];
  #over = false;
  #requested: { error: Error | undefined } | undefined;

  private constructor(socket: Socket) {
    const destroy = socket.destroy;
    this.#socket = socket;
    this.#original = Object.getOwnPropertyDescriptor(socket, 'destroy');
    this.#stub = (error) => {
      if (this.#over || !socket.writable || isSystemError(error)) return destroy.call(socket, error);
      this.#requested ??= { error };
      return socket;
    };
    socket.destroy = this.#stub;
  }

  static on(socket: Socket | null): DeferredDestroy | undefined {
    return socket ? new DeferredDestroy(socket) : undefined;
  }

  get requested(): boolean {
    return this.#requested !== undefined;
  }

  /** Lets destruction through again; does not yet perform what was asked for. */
  restore(): void {
    this.#over = true;
    // somebody may have patched the socket on top of us; then the stub stays, and passes everything on
    if (this.#socket.destroy !== this.#stub) return;
    if (this.#original) Object.defineProperty(this.#socket, 'destroy', this.#original);
    else Reflect.deleteProperty(this.#socket, 'destroy');
  }

  /** Does now what was asked for; a complete answer that was just flushed is let out first. */
  perform(answered: boolean): void {
    if (!this.#requested) return;
    const { error } = this.#requested;
    if (answered && !error) this.#socket.destroySoon();
    else this.#socket.destroy(error);
  }
}

function isSystemError(error: Error | undefined): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.syscall !== undefined;
}
