import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** Whether output of this response can no longer reach the client. */
export function isResponseClosed(res: ServerResponse): boolean {
  return res.closed || res.req.socket?.destroyed === true;
}

const kCallbacks = Symbol('express-apl-session.close-callbacks');
type WatchedSocket = Socket & { [kCallbacks]?: Set<() => void> };

/** Calls back when a response closes, once or twice. The response must not be closed yet. */
export function onResponseClose(res: ServerResponse, callback: () => void): void {
  // once() would create two more functions for each held response; the callback may run twice
  res.on('close', callback);
  // a response whose socket is not a Socket of Node may never emit `close`
  if (!(res.req.socket instanceof Socket)) res.on('finish', callback);
  if (res.socket || !res.req.socket) return;
  // Node 20 and 22 do not notify a response that waits in a pipeline when its connection closes
  const callbacks = closeCallbacks(res.req.socket);
  callbacks.add(callback);
  res.on('close', () => callbacks.delete(callback));
}

/** The callbacks for the close of a connection. They share one listener, as a client may pipeline many requests. */
function closeCallbacks(socket: WatchedSocket): Set<() => void> {
  if (!socket[kCallbacks]) {
    const callbacks = new Set<() => void>();
    socket[kCallbacks] = callbacks;
    socket.once('close', () => {
      for (const callback of callbacks) callback();
    });
  }
  return socket[kCallbacks];
}
