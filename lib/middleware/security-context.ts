import { AsyncLocalStorage } from 'node:async_hooks';
import type { RequestHandler } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { RequestSecurity } from '../contract/security.js';
import { securityOf } from './session-security.js';

/** Looked up when it is asked for: a later mount of the middleware may take the request over. */
type Current = () => RequestSecurity | undefined;

/** Shared by all copies of this package in a process, so that a request that entered with one is found with another. */
const kContext = Symbol.for('express-apl-session.context');
const shared = globalThis as { [kContext]?: AsyncLocalStorage<Current> };
if (!shared[kContext]) {
  Object.defineProperty(shared, kContext, { value: new AsyncLocalStorage<Current>() });
}
const context = shared[kContext] as AsyncLocalStorage<Current>;

/**
 * Express middleware that makes the security of a request known to all that is called from it, for `currentSecurity()`.
 * Mount it behind `aplSessionMiddleware`, and once more behind middleware that goes on from events of the request's
 * stream; to mount it twice does no harm.
 *
 * @throws AplSessionError `config.invalid` for any argument; `middleware.missing`, for a request that
 * `aplSessionMiddleware` has not seen, goes to Express's error handling
 */
export function securityContext(...none: readonly []): RequestHandler {
  if (none.length > 0) throw new AplSessionError('config.invalid', 'securityContext() takes no arguments.');
  return (req, _res, next) => {
    if (!securityOf(req)) {
      throw new AplSessionError(
        'middleware.missing',
        'securityContext() met a request that aplSessionMiddleware has not seen. Mount that middleware before it.',
      );
    }
    context.run(() => securityOf(req), next);
  };
}

/**
 * What `aplSessionMiddleware` has put on the request that this call serves, whatever was done to `req.security` since.
 * @throws AplSessionError `context.missing` if no request is known here: never `undefined`, with which a check would be
 * skipped
 */
export function currentSecurity(): RequestSecurity {
  const security = context.getStore()?.();
  if (security) return security;
  throw new AplSessionError(
    'context.missing',
    'No request is known here. Mount securityContext() before the route, and behind what parses bodies from stream events; where a callback has lost the request, give it AsyncResource.bind(callback).',
  );
}
