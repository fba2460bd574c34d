import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { nearestName } from '../options/nearest-name.js';

export const LOAD_FAILED: Violation = Object.freeze({
  code: 'session.load_failed',
  reason: 'session state could not be loaded',
});

export const PERSIST_FAILED: Violation = Object.freeze({
  code: 'session.persist_failed',
  reason: 'session state could not be persisted',
});

export const SESSION_REQUIRED: Violation = Object.freeze({
  code: 'session.required',
  reason: 'this request needs a session',
});

export const SESSION_UNKNOWN: Violation = Object.freeze({
  code: 'session.unknown',
  reason: 'this session is not enrolled',
});

export const POLICY_ERROR: Violation = Object.freeze({
  code: 'policy.error',
  reason: 'the policy could not be evaluated',
});

/** Whether the request is denied because of its store, and not because of a policy. */
export function isStoreFailure({ code }: Violation): boolean {
  return code === LOAD_FAILED.code || code === PERSIST_FAILED.code;
}

/**
 * Checks and copies a violation.
 * @throws AplSessionError `violation.invalid`
 */
export function toViolation(value: unknown): Violation {
  const { code, reason } = (value ?? {}) as Partial<Violation>;
  if (typeof code === 'string' && code !== '' && typeof reason === 'string' && reason !== '') {
    return Object.freeze({ code, reason });
  }
  throw new AplSessionError(
    'violation.invalid',
    `A violation must be { code, reason } with two non-empty strings; ${faultIn(value)}.`,
  );
}

function faultIn(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `got ${kindOfValue(value)}`;
  const given = value as Readonly<Record<string, unknown>>;
  const faults = ['code', 'reason'].flatMap((name) => {
    const member = given[name];
    if (typeof member === 'string') return member === '' ? [`'${name}' is empty`] : [];
    const misspelt = Object.keys(given).find((key) => !(key in { code: 0, reason: 0 }) && nearestName(key, [name]));
    if (member !== undefined) return [`'${name}' is ${kindOfValue(member)}`];
    return [
      misspelt === undefined
        ? `'${name}' is missing`
        : `'${name}' is missing: write '${name}' in place of '${misspelt}'`,
    ];
  });
  return faults.join(', and ');
}
