import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { removeAllInterceptors } from './method-interceptor.js';

/**
 * How connections are ended. These functions never throw, as they are called while a failure is handled: a serverless
 * runtime may use an object in place of a socket that lacks some methods of a socket.
 */
type Ending = 'destroySoon' | 'end' | 'destroy';

const ENDINGS: readonly Ending[] = ['destroySoon', 'end', 'destroy'];

/** Ends a connection after its last response, as Node does, or with the nearest method that the connection has. */
export function endConnection(socket: Socket): void {
  const ending = ENDINGS.find((method) => typeof socket[method] === 'function');
  if (ending !== undefined) attempt(() => socket[ending]());
}

/** Destroys a connection at once, even if a held response would defer that. */
export function destroyConnection(socket: Socket | null | undefined, error?: Error): void {
  if (!socket) return;
  removeAllInterceptors(socket);
  attempt(() => socket.destroy(error));
}

/**
 * Ends a connection with a TCP reset where that is possible, so that no client takes it for the end of a response. The
 * socket below a TLS socket is reset, because some clients accept the end of a TLS connection as the end of a response.
 */
export function resetConnection(socket: Socket, error?: Error): void {
  removeAllInterceptors(socket);
  // Unix sockets and objects that only look like sockets cannot be reset
  attempt(() => (socketBelow(socket) ?? socket).resetAndDestroy());
  destroyConnection(socket, error);
}

/** The TCP socket that carries a TLS socket. */
export function socketBelow(socket: Socket): Socket | undefined {
  return (socket as Socket & { _parent?: Socket })._parent;
}

/** Whether the client has closed its half of a connection, and the server does not keep half-open connections. */
export function hasClientLeft(socket: Socket): boolean {
  const { server } = socket as Socket & { server?: Server & { httpAllowHalfOpen?: boolean } };
  return socket.readableEnded && !server?.httpAllowHalfOpen;
}

/** Runs one step of handling a failure, and ignores its own failure: held output is not sent in either case. */
export function attempt(step: () => unknown): void {
  try {
    step();
  } catch {
    // nothing else can be tried
  }
}

/** Codes of a broken connection, and of input that is not HTTP. */
const BROKEN =
  /^(?:ECONN(?:RESET|ABORTED)|EPIPE|ETIMEDOUT|ENOTCONN|E(?:HOST|NET)(?:UNREACH|DOWN|RESET)|ERR_(?:SSL|TLS)_.*|HPE_.*)$/;

/**
 * Whether an error means that the connection cannot carry a response any more. An app may destroy a connection with any
 * other error: without a hold, its response would have left before that.
 */
export function isConnectionError(error: unknown): error is Error {
  return error instanceof Error && BROKEN.test(String((error as NodeJS.ErrnoException).code));
}
