import type { Request, RequestHandler } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { RequestSecurity, Violation } from '../contract/security.js';
import { PolicyViolation } from '../denial/policy-violation.js';
import { isStoreFailure, POLICY_ERROR, toViolation } from '../denial/violations.js';
import { labelsIn } from '../labels/label-set.js';
import type { SessionRequest } from '../middleware/session-request.js';
import { otherVersion, sessionRequestOf } from '../middleware/session-security.js';
import { type MaybePromise, whenSettled } from '../util/maybe-promise.js';
import type { GuardSettings } from './guard-options.js';

/** Returns the violation to deny the request for, or `undefined` if the request may go on. */
export type Rule = (req: Request, request: SessionRequest) => MaybePromise<Violation | undefined>;

/** Makes the middleware of every guard. Errors of the rule go to Express's error handling. */
export function guard({ name, denial, enforce }: GuardSettings, rule: Rule): RequestHandler {
  return (req, _res, next) => {
    const request = requiredRequest(req, name);
    const mayGoOn = whenSettled(rule(req, request), (violation) => {
      if (!violation) return true;
      if (enforce === 'observe' && !isStoreFailure(violation)) {
        request.access.alarms.wouldDeny(name, violation, { at: req, secrets: secretsOf(request) });
        return true;
      }
      request.deny(violation, denial);
      return false;
    });
    // a separate step: an error that next() throws must not call next() again
    const proceed = (goOn: boolean): void => {
      if (goOn) next();
    };
    whenSettled(mayGoOn, proceed, next);
  };
}

/**
 * A guard whose rule decides about the session. A rule that throws or rejects denies the request: with the violation if the
 * error is a `PolicyViolation`, else with `policy.error` and an alarm.
 */
export function decidingGuard(settings: GuardSettings, rule: Rule): RequestHandler {
  return guard(settings, (req, request) => {
    const onError = (error: unknown): Violation => violationOf(error, settings, req, request);
    const onDecision = (violation: Violation | undefined): Violation | undefined => {
      if (!violation) request.reliesOnSession();
      return violation;
    };
    try {
      return whenSettled(rule(req, request), onDecision, onError);
    } catch (error) {
      return onError(error);
    }
  });
}

/** @throws AplSessionError `middleware.missing`; `middleware.conflict` if another version of this package serves the request */
export function requiredRequest(req: Request, name: string): SessionRequest {
  const request = sessionRequestOf(req);
  if (request) return request;
  const { persist } = (req.security ?? {}) as Partial<RequestSecurity>;
  // an old version of this package: it does not share the session with other copies
  if (typeof persist === 'function') throw otherVersion();
  throw new AplSessionError(
    'middleware.missing',
    `The guard '${name}' met a request that aplSessionMiddleware has not seen. Mount the middleware before the guard: app.use(aplSessionMiddleware({ session })) above the routes.`,
  );
}

function violationOf(
  error: unknown,
  { name, enforce }: GuardSettings,
  req: Request,
  request: SessionRequest,
): Violation {
  if (error instanceof PolicyViolation) return toViolation(error);
  const instance = enforce === 'observe' ? undefined : request.denialInstance;
  request.access.alarms.policyError(name, error, { at: req, secrets: secretsOf(request), instance });
  return POLICY_ERROR;
}

/** What no alarm may show. */
export function secretsOf({ sessionId, labels }: SessionRequest): string[] {
  return [sessionId ?? '', ...labelsIn(labels)];
}
