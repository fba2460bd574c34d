import type { Request, RequestHandler } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { RequestSecurity, Violation } from '../contract/security.js';
import type { DenialRenderer } from '../denial/denial.js';
import { PolicyViolation } from '../denial/policy-violation.js';
import { POLICY_ERROR, toViolation } from '../denial/violations.js';
import type { SessionRequest } from '../middleware/session-request.js';
import { otherVersion, sessionRequestOf } from '../middleware/session-security.js';
import { isPromiseLike } from '../util/maybe-promise.js';
import type { GuardSettings } from './guard-options.js';

/** Decides over a request: the violation that it is denied for, or `undefined` if it may go on. May throw. */
export type Rule = (req: Request, request: SessionRequest) => Outcome | PromiseLike<Outcome>;
type Outcome = Violation | undefined;

/**
 * A guard around a rule. A rule that throws or rejects denies: with the violation if it is a `PolicyViolation`,
 * else with `policy.error` and an alarm. A synchronous answer is acted on at once.
 */
export function guardBy({ name, denial }: GuardSettings, rule: Rule): RequestHandler {
  return (req, _res, next) => {
    const request = requiredRequest(req, name);
    const failed = (error: unknown): Violation => violationOf(error, name, req, request);
    const outcome = attempt(() => rule(req, request), failed);
    if (isPromiseLike(outcome)) {
      Promise.resolve(outcome)
        .catch(failed)
        .then((violation) => passes(request, violation, denial))
        .then((passed) => passed && next(), next);
    } else if (passes(request, outcome, denial)) next();
  };
}

/** @throws AplSessionError `middleware.missing`; `middleware.conflict` if another version of this package serves the request */
export function requiredRequest(req: Request, guard: string): SessionRequest {
  const request = sessionRequestOf(req);
  if (request) return request;
  const { persist } = (req.security ?? {}) as Partial<RequestSecurity>;
  // versions that shared nothing with others look like this
  if (typeof persist === 'function') throw otherVersion();
  throw new AplSessionError(
    'middleware.missing',
    `The guard '${guard}' met a request that aplSessionMiddleware has not seen. Mount the middleware before it.`,
  );
}

function attempt<T>(call: () => T, failed: (error: unknown) => Violation): T | Violation {
  try {
    return call();
  } catch (error) {
    return failed(error);
  }
}

function passes(request: SessionRequest, violation: Outcome, denial: DenialRenderer | undefined): boolean {
  if (violation === undefined) {
    request.reliesOnSession();
    return true;
  }
  request.deny(violation, denial);
  return false;
}

/** What a failed verdict denies for. */
function violationOf(error: unknown, guard: string, req: Request, request: SessionRequest): Violation {
  if (error instanceof PolicyViolation) return toViolation(error);
  const secrets = [request.sessionId ?? '', ...request.labels];
  request.access.alarms.policyError(guard, error, { at: req, secrets });
  return POLICY_ERROR;
}
