import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';

/** The labels of the session could not be read. */
export const LOAD_FAILED: Violation = Object.freeze({
  code: 'session.load_failed',
  reason: 'session state could not be loaded',
});

/** What the request added could not be saved. */
export const PERSIST_FAILED: Violation = Object.freeze({
  code: 'session.persist_failed',
  reason: 'session state could not be persisted',
});

/** A guard asks for a session, and the request has none. */
export const SESSION_REQUIRED: Violation = Object.freeze({
  code: 'session.required',
  reason: 'this request needs a session',
});

/** A guard could not decide. */
export const POLICY_ERROR: Violation = Object.freeze({
  code: 'policy.error',
  reason: 'the policy could not be evaluated',
});

/**
 * A frozen copy of a violation.
 * @throws AplSessionError `violation.invalid`
 */
export function toViolation(value: unknown): Violation {
  const { code, reason } = (value ?? {}) as Partial<Violation>;
  if (typeof code === 'string' && code !== '' && typeof reason === 'string' && reason !== '') {
    return Object.freeze({ code, reason });
  }
  throw new AplSessionError('violation.invalid', 'A violation is { code, reason }, two non-empty strings.');
}
