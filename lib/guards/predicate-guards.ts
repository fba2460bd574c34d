import type { Request, RequestHandler } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';
import { toViolation } from '../denial/violations.js';
import { assertCalled } from '../options/assert-called.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { whenSettled } from '../util/maybe-promise.js';
import { decidingGuard } from './guard.js';
import { ENFORCE, type GuardOptions, type GuardSettings, parseGuardOptions } from './guard-options.js';
import { type LabelCondition, labelTest } from './label-condition.js';

/** Returns `true` or `false` for a request; may be async. */
export type RequestPredicate = (req: Request) => boolean | PromiseLike<boolean>;

/**
 * A guard that denies a request whose labels match the condition, or for which the predicate returns `true`. A predicate that
 * throws, rejects or returns anything but a boolean denies with `policy.error`.
 *
 * @example
 * app.post('/email', denyIf('secret', { code: 'tainted', reason: 'session touched secret data' }), (_req, res) => {
 *   res.json({ sent: true });
 * });
 *
 * @throws AplSessionError `label.invalid`, `violation.invalid` or `config.invalid` at construction; `middleware.missing`
 * goes to Express's error handling
 */
export function denyIf(
  condition: LabelCondition | RequestPredicate,
  violation: Violation,
  options?: GuardOptions,
): RequestHandler {
  assertCalled('denyIf', condition, "app.post('/path', denyIf('secret', { code, reason }), handler)");
  const settings = parseGuardOptions('denyIf', options, ENFORCE);
  const checked = toViolation(violation);
  if (typeof condition === 'function') return predicateGuard(settings, condition, true, checked);
  const applies = labelTest(settings.name, condition);
  return decidingGuard(settings, (_req, { labels }) => (applies(labels) ? checked : undefined));
}

/**
 * A guard that denies a request unless the predicate returns `true`. A predicate that throws, rejects or returns anything but a
 * boolean denies with `policy.error`.
 *
 * @example
 * app.use('/admin', requireThat((req) => req.ip === '127.0.0.1', { code: 'local_only', reason: 'local clients only' }));
 *
 * @throws AplSessionError `violation.invalid` or `config.invalid` at construction; `middleware.missing` goes to
 * Express's error handling
 */
export function requireThat(predicate: RequestPredicate, violation: Violation, options?: GuardOptions): RequestHandler {
  assertCalled('requireThat', predicate, "app.use('/path', requireThat(predicate, { code, reason }))");
  const settings = parseGuardOptions('requireThat', options, ENFORCE);
  if (typeof predicate !== 'function') {
    throw new AplSessionError(
      'config.invalid',
      `${settings.name}: the predicate must be a function of the request that returns true or false; got ${kindOfValue(predicate)}.`,
    );
  }
  return predicateGuard(settings, predicate, false, toViolation(violation));
}

function predicateGuard(
  settings: GuardSettings,
  predicate: RequestPredicate,
  deniedResult: boolean,
  violation: Violation,
): RequestHandler {
  const violationFor = (result: unknown): Violation | undefined => {
    if (typeof result === 'boolean') return result === deniedResult ? violation : undefined;
    throw new AplSessionError('policy.error', `The predicate must return a boolean; it returned ${typeof result}.`);
  };
  return decidingGuard(settings, (req) => whenSettled(predicate(req), violationFor));
}
