import type { IncomingMessage, ServerResponse } from 'node:http';

/** With these a client asks for a part, or for less if it has the rest. A denial is always all of it. */
const CONDITIONS = ['if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'range'];

/**
 * The request as it is to the methods of a detached response: `res.send` and others ask it whether the client has the
 * answer already, and go on with its `next` when they fail, or even when there is nothing to send. What was denied must
 * not go on, so that is told to `onNext`.
 */
export function requestOfDenial<T extends IncomingMessage>(
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
