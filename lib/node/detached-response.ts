import { ServerResponse } from 'node:http';
import { nextTick } from '../util/clock.js';
import type { NodeResponse } from './node-response.js';

/**
 * Creates a response without a connection, for rendering another answer to the same request. It has the same methods.
 * @param keepAlive whether the connection may serve more requests after it
 */
export function detachedResponse(res: NodeResponse, keepAlive: boolean): NodeResponse {
  const detached = new ServerResponse(res.req) as NodeResponse;
  Object.setPrototypeOf(detached, Object.getPrototypeOf(res));
  if ('locals' in res) Object.assign(detached, { locals: res.locals });
  detached.shouldKeepAlive = res.shouldKeepAlive && !res._last && keepAlive;
  detached._keepAliveTimeout = res._keepAliveTimeout;
  detached.maxRequestsOnConnectionReached = res.maxRequestsOnConnectionReached;
  return detached;
}

/**
 * Calls back when a detached response has ended, or can no longer end: it has no connection that would emit events. It
 * emits `drain` itself.
 */
export function watchDetached(detached: ServerResponse, onEnd: () => void, onFailure: (error: unknown) => void): void {
  const { write, end, destroy } = detached;
  detached.write = ((...args: Parameters<typeof write>) => {
    const accepted = write.apply(detached, args);
    if (!accepted && !detached.destroyed) nextTick(() => detached.emit('drain'));
    return accepted;
  }) as typeof write;
  detached.end = ((...args: Parameters<typeof end>) => {
    end.apply(detached, args);
    if (detached.writableEnded) onEnd();
    return detached;
  }) as typeof end;
  detached.destroy = ((error) => {
    destroy.call(detached, error);
    onFailure(error ?? new Error('The response was destroyed.'));
    return detached;
  }) as typeof destroy;
  detached.on('error', onFailure);
}

/** Drops the output of a detached response and emits `close`, so that pending writers stop. */
export function closeDetached(detached: ServerResponse): void {
  const res = detached as NodeResponse;
  res.outputData = [];
  res.outputSize = 0;
  nextTick(() => {
    if (res.writableEnded && !res.destroyed) res.emit('finish');
    res.destroy();
    res.emit('close');
  });
}

/** The bytes of a detached response that has ended. */
export function bytesOf(detached: NodeResponse): Buffer {
  return Buffer.concat(
    detached.outputData.map(({ data, encoding }) =>
      typeof data === 'string' ? Buffer.from(data, encoding ?? 'utf8') : (data ?? Buffer.alloc(0)),
    ),
  );
}
