import type { ErrorRequestHandler } from 'express';
import Joi from 'joi';
import { AplSessionError } from '../contract/errors.js';
import { parseDenial } from '../denial/denial.js';
import { PolicyViolation } from '../denial/policy-violation.js';
import { sessionRequestOf } from '../middleware/session-security.js';
import { parseOptions } from '../util/parse-options.js';
import type { GuardOptions } from './guard-options.js';

const schema = Joi.object<Pick<GuardOptions, 'denial'>>({ denial: Joi.any() });

/**
 * An Express error handler that answers a thrown `PolicyViolation` as `req.security.deny()` does: the violation is
 * recorded, and the response becomes its denial, or the connection is cut if bytes are out. Mount it after the routes,
 * before other error handlers. Every other error goes on to the next one, and so does a violation of a request that
 * `aplSessionMiddleware` has not seen. Causes are not searched.
 *
 * @param none nothing: that there is something shows that it was mounted without being called
 * @throws AplSessionError `config.invalid`
 */
export function policyViolationHandler(
  options?: Pick<GuardOptions, 'denial'>,
  ...none: readonly []
): ErrorRequestHandler {
  if (none.length > 0) throw new AplSessionError('config.invalid', 'policyViolationHandler() takes its options only.');
  const { denial: option } = parseOptions('policyViolationHandler', schema, options ?? {});
  const denial = option === undefined ? undefined : parseDenial('policyViolationHandler', option);
  return (error, req, _res, next) => {
    const request = error instanceof PolicyViolation ? sessionRequestOf(req) : undefined;
    if (request) request.deny(error, denial);
    else next(error);
  };
}
