import type { IncomingMessage, ServerResponse } from 'node:http';

/** Headers that ask for a part of a response, or for 304. A denial is always sent in full. */
const CONDITIONS = ['if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'range'];

/**
 * The request that methods of a detached response see. `res.send` reads its conditional headers, and `res.render` and
 * `res.sendFile` call its `next`. A denied request must not reach the next handler, so `onNext` is called instead.
 */
export function deniedRequest<T extends IncomingMessage>(
  req: T,
  res: ServerResponse,
  onNext: (error?: unknown) => void,
): T {
  const headers = { ...req.headers };
  for (const name of CONDITIONS) delete headers[name];
  const own: Readonly<Record<PropertyKey, unknown>> = { __proto__: null, headers, next: onNext, res };
  return new Proxy(req, {
    get: (target, key, receiver) => (key in own ? own[key] : Reflect.get(target, key, receiver)),
  });
}
