import type { Request, RequestHandler } from 'express';
import Joi from 'joi';
import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';
import { toViolation } from '../denial/violations.js';
import { assertCalled } from '../options/assert-called.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { whenSettled } from '../util/maybe-promise.js';
import { decidingGuard } from './guard.js';
import { ENFORCE, type GuardOptions, parseGuardOptions } from './guard-options.js';

export interface PolicyInput<Subject = undefined> {
  readonly req: Request;
  /** The labels of the session, including those that this request has added so far. */
  readonly labels: ReadonlySet<string>;
  /** The result of the `subject` option; `undefined` without it. */
  readonly subject: Subject;
}

/** `{ allow: true }`, or the violation to deny the request for. Any other value denies with `policy.error`. */
export type PolicyDecision =
  | { readonly allow: true; readonly code?: never; readonly reason?: never }
  | (Violation & { readonly allow?: never });

export type DecidePolicy<Subject = undefined> = (
  input: PolicyInput<Subject>,
) => PolicyDecision | PromiseLike<PolicyDecision>;

export interface PolicyOptions<Subject> extends GuardOptions {
  /** Returns the user as the app knows them. Called only when a request reaches this guard; may be async. */
  readonly subject: (req: Request) => Subject | PromiseLike<Subject>;
}

const OPTIONS = { ...ENFORCE, subject: Joi.function() };

/**
 * A guard that calls a policy engine, a remote service or any function. A result that is neither `{ allow: true }` nor a
 * violation (a forgotten `return`, for example) denies with `policy.error`, and so does an error of `decide` or `subject`.
 *
 * @example
 * app.post(
 *   '/order',
 *   policy(({ labels }) => (labels.has('secret') ? { code: 'tainted', reason: 'no orders' } : { allow: true })),
 *   (_req, res) => res.json({ ordered: true }),
 * );
 *
 * @throws AplSessionError `config.invalid` at construction; `middleware.missing` goes to Express's error handling
 */
export function policy<Subject>(decide: DecidePolicy<Subject>, options: PolicyOptions<Subject>): RequestHandler;
export function policy(decide: DecidePolicy, options?: GuardOptions): RequestHandler;
export function policy(
  decide: DecidePolicy<never>,
  options?: GuardOptions & Partial<PolicyOptions<unknown>>,
): RequestHandler {
  assertCalled('policy', decide, "app.post('/path', policy(decide), handler)");
  const settings = parseGuardOptions('policy', options, OPTIONS);
  const { name, subject } = settings;
  if (typeof decide !== 'function') {
    throw new AplSessionError(
      'config.invalid',
      `${name}: the decision must be a function of { req, labels, subject }; got ${kindOfValue(decide)}.`,
    );
  }
  return decidingGuard(settings, (req, { labels }) => {
    const decision = whenSettled(subject?.(req), (found) => decide({ req, labels, subject: found as never }));
    return whenSettled(decision, violationIn);
  });
}

function violationIn(decision: unknown): Violation | undefined {
  if (typeof decision === 'object' && decision !== null) {
    const denies = 'code' in decision || 'reason' in decision;
    if (!denies && Object.hasOwn(decision, 'allow') && (decision as { allow: unknown }).allow === true)
      return undefined;
    if (denies && !('allow' in decision)) return toViolation(decision);
  }
  throw new AplSessionError('policy.error', 'The decision must be { allow: true } or a violation { code, reason }.');
}
