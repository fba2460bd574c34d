import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { memberOf, setMember } from '../util/member-of.js';
import type { NodeResponse } from './node-response.js';

const { on } = EventEmitter.prototype;

/** Where an EventEmitter keeps its listeners. */
interface Emitter {
  /** The one listener of an event, or a list of several. */
  readonly _events?: Record<string, unknown>;
  _eventsCount: number;
}

/** Whether output of this response can no longer reach the client. */
export function isResponseClosed(res: ServerResponse): boolean {
  return isClosed(res, connectionOf(res));
}

/** The connection of the request. The response itself has none while it waits in a pipeline. */
function connectionOf(res: ServerResponse): Socket | null | undefined {
  return memberOf(memberOf(res, 'req'), 'socket');
}

function isClosed(res: ServerResponse, connection: Socket | null | undefined): boolean {
  return memberOf(res as NodeResponse, '_closed') || connection?.destroyed === true;
}

const kCallbacks = Symbol('express-apl-session.close-callbacks');
type WatchedSocket = Socket & { [kCallbacks]?: Set<() => void> };

/** Calls back when a response closes, once or twice. Returns false, and never calls back, if the response is closed already. */
export function onResponseClose(res: ServerResponse, callback: () => void): boolean {
  const connection = connectionOf(res);
  if (isClosed(res, connection)) return false;
  listenForClose(res, callback);
  // a response whose socket is not a Socket of Node may never emit `close`
  if (!(connection instanceof Socket)) res.on('finish', callback);
  if (memberOf(res, 'socket') || !connection) return true;
  // Node 20 and 22 do not notify a response that waits in a pipeline when its connection closes
  const callbacks = closeCallbacks(connection);
  callbacks.add(callback);
  res.on('close', () => callbacks.delete(callback));
  return true;
}

/**
 * Does what `on()` does for the first listener of an event. `on()` itself misses V8's inline cache three times, for every request with a
 * session. `once()` would create two more functions, and the callback may run twice.
 */
function listenForClose(res: ServerResponse, callback: () => void): void {
  const emitter = res as unknown as Emitter;
  const events = memberOf(emitter, '_events');
  // only on() keeps a list of several listeners, and notifies those who listen for new ones
  if (!events || memberOf(events, 'close') !== undefined || memberOf(events, 'newListener') !== undefined) {
    on.call(res, 'close', callback);
    return;
  }
  setMember(events, 'close', callback);
  setMember(emitter, '_eventsCount', memberOf(emitter, '_eventsCount') + 1);
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
