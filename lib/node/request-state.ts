import type { IncomingMessage } from 'node:http';

/**
 * The object on which this package keeps its own properties of a request: the state of the request's stream. Express gives
 * each request a prototype of its own, which makes every property that is added to the request itself slow.
 */
export function requestState(req: IncomingMessage): object {
  return (req as { _readableState?: object })._readableState ?? req;
}
