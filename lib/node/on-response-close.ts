import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** Whether nothing that is sent from now on can reach the client. */
export function isOver(res: ServerResponse): boolean {
  return res.closed || res.req.socket?.destroyed === true;
}

const kWaiting = Symbol('express-apl-session.waiting');
type WaitedFor = Socket & { [kWaiting]?: Set<() => void> };

/** Calls back once or twice, at the latest as soon as a response that is not over is. */
export function onceOver(res: ServerResponse, callback: () => void): void {
  // `once` would wrap the callback twice, for each held response; an end comes once anyway
  res.on('close', callback);
  // a response whose socket is not Node's may never emit `close`
  if (!(res.req.socket instanceof Socket)) res.on('finish', callback);
  if (res.socket || !res.req.socket) return;
  // Node 20 and 22 do not tell a response that waits in a pipeline of the end of its connection
  const waiting = waitingOn(res.req.socket);
  waiting.add(callback);
  res.on('close', () => waiting.delete(callback));
}

/** Who waits for the end of a connection: one listener for all, as a client may pipeline as many requests as it likes. */
function waitingOn(socket: WaitedFor): Set<() => void> {
  if (!socket[kWaiting]) {
    const waiting = new Set<() => void>();
    socket[kWaiting] = waiting;
    socket.once('close', () => {
      for (const callback of waiting) callback();
    });
  }
  return socket[kWaiting];
}
