import type { Request, RequestHandler } from 'express';
import { AplSessionError } from '../contract/errors.js';
import { isPromiseLike } from '../contract/promise-like.js';
import type { RequestSecurity, Violation } from '../contract/security.js';
import { codeOf } from '../labels/store-access.js';
import type { DenialRenderer } from '../response/denial.js';
import { errorText } from './alarm-sink.js';
import type { GuardSettings } from './guard-options.js';
import { PolicyViolation } from './policy-violation.js';
import { routeName } from './route-name.js';
import type { SessionRequest } from './session-request.js';
import { otherVersion, sessionRequestOf } from './session-security.js';
import { POLICY_ERROR, toViolation } from './violations.js';

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
  request.access.raise({
    alarm: 'policy_error',
    guard,
    route: routeName(req, secrets),
    error: errorText(error, secrets),
    ...codeOf(error),
  });
  return POLICY_ERROR;
}
