import type { ServerResponse } from 'node:http';

/** Whether nothing that is sent from now on can reach the client. */
export function isOver(res: ServerResponse): boolean {
  return res.closed || res.req.socket.destroyed;
}

/** Calls back once, as soon as a response that is not over is. */
export function onceOver(res: ServerResponse, callback: () => void): void {
  res.once('close', callback);
  if (res.socket) return;
  // Node 20 and 22 do not tell a response that waits in a pipeline of the end of its connection
  const connection = res.req.socket;
  connection.once('close', callback);
  res.once('close', () => connection.off('close', callback));
}
