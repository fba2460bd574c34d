import type { Socket } from 'node:net';
import { unshadowAll } from './method-interceptor.js';

/**
 * How connections end. What stands for a socket in a serverless runtime lacks some of a socket's methods, and an end
 * must never throw: these functions are called where a failure is being dealt with.
 */
type Ending = 'destroySoon' | 'end' | 'destroy';

const ENDINGS: readonly Ending[] = ['destroySoon', 'end', 'destroy'];

/** Ends a connection after its last response, as Node does, or in the nearest way that there is. */
export function endConnection(socket: Socket): void {
  const ending = ENDINGS.find((method) => typeof socket[method] === 'function');
  if (ending !== undefined) attempt(() => socket[ending]());
}

/** Destroys a connection now, also if another response on it would put that off. */
export function destroyConnection(socket: Socket | null | undefined, error?: Error): void {
  if (!socket) return;
  unshadowAll(socket);
  attempt(() => socket.destroy(error));
}

/**
 * Ends a connection in a way that cannot be taken for the end of a response: with a reset, where there is TCP below.
 * A TLS socket is reset below the encryption, as its own end would be a clean one for some clients.
 */
export function resetConnection(socket: Socket, error?: Error): void {
  const { _parent } = socket as Socket & { _parent?: Socket };
  unshadowAll(socket);
  // Unix sockets and streams that only look like sockets have no reset
  attempt(() => (_parent ?? socket).resetAndDestroy());
  destroyConnection(socket, error);
}

/** Takes a step of the dealing with a failure. One that cannot be made is none; what was held is not sent all the same. */
export function attempt(step: () => unknown): void {
  try {
    step();
  } catch {
    // there is nothing left to be done
  }
}

/** Codes of a connection that is broken, or on which something came that is not HTTP. */
const BROKEN =
  /^(?:ECONN(?:RESET|ABORTED)|EPIPE|ETIMEDOUT|ENOTCONN|E(?:HOST|NET)(?:UNREACH|DOWN|RESET)|ERR_(?:SSL|TLS)_.*|HPE_.*)$/;

/**
 * Whether an error says that the connection does not carry an answer any more. Any other error by which a connection is
 * destroyed is the app's own: without a hold its answer would have left before.
 */
export function isConnectionError(error: unknown): error is Error {
  return error instanceof Error && BROKEN.test(String((error as NodeJS.ErrnoException).code));
}
