import type { IncomingMessage } from 'node:http';
import { memberOf } from '../util/member-of.js';

/**
 * The object on which this package keeps its own properties of a request: the state of the request's stream. Express gives
 * each request a prototype of its own, which makes every property that is added to the request itself slow.
 */
export function requestState(req: IncomingMessage): object {
  return memberOf(req as { _readableState?: object }, '_readableState') ?? req;
}

/** Whether requests share the object on which `req` has this property: a prototype above the object that has the state of the stream. */
export function isOnPrototype(req: IncomingMessage, name: PropertyKey): boolean {
  let object: object | null = req;
  while (object !== null && !Object.hasOwn(object, name)) {
    if (Object.hasOwn(object, '_readableState')) return true;
    object = Object.getPrototypeOf(object);
  }
  return false;
}
