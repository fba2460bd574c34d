import { AsyncLocalStorage } from 'node:async_hooks';
import type { RequestHandler } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { RequestSecurity } from '../contract/security.js';
import { securityOf } from './session-security.js';

/** A function, because a later mount of the middleware may replace the request's security. */
type Current = () => RequestSecurity | undefined;

/** Registered globally, so that one copy of this package finds the context that another copy has set. */
const kContext = Symbol.for('express-apl-session.context');
const shared = globalThis as { [kContext]?: AsyncLocalStorage<Current> };
if (!shared[kContext]) {
  Object.defineProperty(shared, kContext, { value: new AsyncLocalStorage<Current>() });
}
const context = shared[kContext] as AsyncLocalStorage<Current>;

/**
 * Express middleware that makes `currentSecurity()` work in all code that the request calls. Mount it after
 * `aplSessionMiddleware`, and once more after middleware that calls `next()` from an event of the request stream.
 *
 * @example
 * import { securityContext } from 'express-apl-session/context';
 *
 * app.use(aplSessionMiddleware({ session: subjectSession({ subject: subjectOf }) }));
 * app.use(securityContext());
 *
 * @throws AplSessionError `config.invalid` for any argument; `middleware.missing`, for a request that
 * `aplSessionMiddleware` has not seen, goes to Express's error handling
 */
export function securityContext(...none: readonly []): RequestHandler {
  if (none.length > 0)
    throw new AplSessionError(
      'config.invalid',
      'securityContext() takes no arguments. Call it: app.use(securityContext()).',
    );
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
 * The `req.security` of the current request, also if other code has replaced that property.
 *
 * @example
 * import { currentSecurity } from 'express-apl-session/context';
 *
 * function readSalary(): number {
 *   currentSecurity().labels.add('secret');
 *   return 98_000;
 * }
 *
 * @throws AplSessionError `context.missing` without a current request. It never returns `undefined`: with `?.` a check would
 * then be skipped
 */
export function currentSecurity(): RequestSecurity {
  const security = context.getStore()?.();
  if (security) return security;
  throw new AplSessionError(
    'context.missing',
    'There is no current request. Mount securityContext() before the route and after body parsers. If a callback has lost its request, wrap it: AsyncResource.bind(callback).',
  );
}
