import type { Request, RequestHandler } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';
import { assertLabel } from '../labels/label.js';
import type { SessionRequest } from './session-request.js';
import { sessionRequestOf } from './session-security.js';
import { PERSIST_FAILED, toViolation } from './violations.js';

/**
 * A guard that taints the session before the handler runs. The labels are persisted first (write-ahead); if that fails,
 * the handler does not run and the answer is 403 `session.persist_failed`.
 *
 * @throws AplSessionError `label.invalid` at construction; `middleware.missing` goes to Express's error handling
 */
export function taint(...labels: readonly [string, ...string[]]): RequestHandler {
  assertLabels(labels);
  return (req, _res, next) => {
    taintNow(req, labels).then((saved) => saved && next(), next);
  };
}

async function taintNow(req: Request, labels: readonly string[]): Promise<boolean> {
  const security = requiredSecurity(req, 'taint');
  for (const label of labels) security.labels.add(label);
  try {
    await security.persist();
    return true;
  } catch {
    security.deny(PERSIST_FAILED);
    return false;
  }
}

/** Decides over a request; `true` denies it. May be async. */
export type DenyPredicate = (req: Request) => boolean | PromiseLike<boolean>;

/**
 * A guard that denies the request if the session has the label, or any of the labels, or if the predicate says so.
 * A predicate that throws or rejects sends the request to Express's error handling; the handler does not run.
 *
 * @throws AplSessionError `label.invalid` or `violation.invalid` at construction; `middleware.missing` goes to
 * Express's error handling
 */
export function denyIf(condition: string | readonly string[] | DenyPredicate, violation: Violation): RequestHandler {
  const denial = toViolation(violation);
  const applies = typeof condition === 'function' ? condition : hasAny(condition);
  return (req, _res, next) => {
    const security = requiredSecurity(req, 'denyIf');
    const decide = (denied: boolean): void => {
      if (denied) security.deny(denial);
      else next();
    };
    const decision = applies(req);
    if (typeof decision === 'boolean') decide(decision);
    else Promise.resolve(decision).then(decide, next);
  };
}

function hasAny(condition: string | readonly string[]): DenyPredicate {
  const labels: readonly string[] = Array.isArray(condition) ? [...condition] : [condition as string];
  assertLabels(labels);
  return (req) => labels.some((label) => sessionRequestOf(req)?.labels.has(label));
}

function assertLabels(labels: readonly string[]): void {
  if (labels.length === 0) throw new AplSessionError('label.invalid', 'At least one label is required.');
  for (const label of labels) assertLabel(label);
}

function requiredSecurity(req: Request, guard: string): SessionRequest {
  const security = sessionRequestOf(req);
  if (security) return security;
  throw new AplSessionError(
    'middleware.missing',
    `${guard}() found no session on the request. Mount aplSessionMiddleware before the routes that it guards.`,
  );
}
