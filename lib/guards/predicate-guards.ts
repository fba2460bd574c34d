import type { Request, RequestHandler } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';
import { toViolation } from '../denial/violations.js';
import { whenSettled } from '../util/maybe-promise.js';
import { decidingGuard } from './guard.js';
import { type GuardOptions, type GuardSettings, parseGuardOptions } from './guard-options.js';
import { type LabelCondition, labelTest } from './label-condition.js';

/** Answers yes or no about a request. May be async. */
export type RequestPredicate = (req: Request) => boolean | PromiseLike<boolean>;

/**
 * A guard that denies the request if the condition holds: it has the label, any or all of the labels, or the predicate
 * answers `true`. A predicate that throws, rejects or answers with no boolean denies with `policy.error`.
 *
 * @throws AplSessionError `label.invalid`, `violation.invalid` or `config.invalid` at construction; `middleware.missing`
 * goes to Express's error handling
 */
export function denyIf(
  condition: LabelCondition | RequestPredicate,
  violation: Violation,
  options?: GuardOptions,
): RequestHandler {
  const settings = parseGuardOptions('denyIf', options);
  const checked = toViolation(violation);
  if (typeof condition === 'function') return predicateGuard(settings, condition, true, checked);
  const applies = labelTest(settings.name, condition);
  return decidingGuard(settings, (_req, { labels }) => (applies(labels) ? checked : undefined));
}

/**
 * A guard that denies the request unless the predicate answers `true`. One that throws, rejects or answers with no
 * boolean denies with `policy.error`.
 *
 * @throws AplSessionError `violation.invalid` or `config.invalid` at construction; `middleware.missing` goes to
 * Express's error handling
 */
export function requireThat(predicate: RequestPredicate, violation: Violation, options?: GuardOptions): RequestHandler {
  const settings = parseGuardOptions('requireThat', options);
  if (typeof predicate !== 'function') {
    throw new AplSessionError('config.invalid', `${settings.name}: the predicate must be a function of the request.`);
  }
  return predicateGuard(settings, predicate, false, toViolation(violation));
}

function predicateGuard(
  settings: GuardSettings,
  predicate: RequestPredicate,
  deniedAnswer: boolean,
  violation: Violation,
): RequestHandler {
  const violationFor = (answer: unknown): Violation | undefined => {
    if (typeof answer === 'boolean') return answer === deniedAnswer ? violation : undefined;
    throw new AplSessionError('policy.error', `The predicate must answer with a boolean; got ${typeof answer}.`);
  };
  return decidingGuard(settings, (req) => whenSettled<unknown, Violation | undefined>(predicate(req), violationFor));
}
