import type { ErrorRequestHandler } from 'express';
import Joi from 'joi';
import { AplSessionError } from '../contract/errors.js';
import { parseDenial } from '../denial/denial.js';
import { PolicyViolation } from '../denial/policy-violation.js';
import { sessionRequestOf } from '../middleware/session-security.js';
import { parseOptions } from '../options/parse-options.js';
import type { GuardOptions } from './guard-options.js';

const schema = Joi.object<Pick<GuardOptions, 'denial'>>({ denial: Joi.any() });

/**
 * Makes an Express error handler that calls `req.security.deny()` for a thrown `PolicyViolation`. Mount it after the routes and
 * before other error handlers. Other errors go to the next error handler, also those with a `PolicyViolation` as `cause`, and
 * so does a violation of a request that `aplSessionMiddleware` has not seen.
 *
 * @example
 * app.post('/email', (req, res) => {
 *   if (req.body.to === 'everyone') throw new PolicyViolation({ code: 'too_many', reason: 'one recipient only' });
 *   res.json({ sent: true });
 * });
 * app.use(policyViolationHandler());
 *
 * @param none must be empty: Express passes more arguments if the function was mounted without being called
 * @throws AplSessionError `config.invalid`
 */
export function policyViolationHandler(
  options?: Pick<GuardOptions, 'denial'>,
  ...none: readonly []
): ErrorRequestHandler {
  if (none.length > 0)
    throw new AplSessionError(
      'config.invalid',
      'policyViolationHandler() takes only options. Call it: app.use(policyViolationHandler()).',
    );
  const { denial: option } = parseOptions('policyViolationHandler', schema, options ?? {});
  const denial = option === undefined ? undefined : parseDenial('policyViolationHandler', option);
  return (error, req, _res, next) => {
    const request = error instanceof PolicyViolation ? sessionRequestOf(req) : undefined;
    if (request) request.deny(error, denial);
    else next(error);
  };
}
