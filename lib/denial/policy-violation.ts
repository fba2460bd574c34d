import type { Violation } from '../contract/security.js';
import { toViolation } from './violations.js';

/** Registered globally, so that all copies of this package in a process share it. */
const kPolicyViolation = Symbol.for('express-apl-session.PolicyViolation');

/**
 * A violation to throw from any code that a request calls. `policyViolationHandler()` answers it with the denial. Without that
 * handler Express, Koa and Nest answer with their own 403. GraphQL servers send an error with the reason as message and the
 * code in `extensions.code`. They do not send the cause.
 *
 * `instanceof PolicyViolation` is also true for errors of another copy of this package.
 *
 * @example
 * function assertRecipient(address: string): void {
 *   if (address.endsWith('@corp.example')) return;
 *   throw new PolicyViolation({ code: 'recipient_outside', reason: 'mail goes to colleagues only' });
 * }
 */
export class PolicyViolation extends Error implements Violation {
  override readonly name: string = 'PolicyViolation';
  readonly code: string;
  readonly reason: string;

  /** Express, Koa and others read the status of an error response from these two. */
  readonly status = 403;
  readonly statusCode = 403;

  /**
   * @param options `cause` is for your log and never reaches the client
   * @throws AplSessionError `violation.invalid`
   */
  constructor(violation: Violation, options?: ErrorOptions) {
    const { code, reason } = toViolation(violation);
    super(reason, options);
    this.code = code;
    this.reason = reason;
  }

  /** Tells Koa and Nest that the message may be sent to the client. */
  get expose(): true {
    return true;
  }

  /** GraphQL servers copy this into the error that they send; some read the response status from it. */
  get extensions(): { readonly code: string; readonly http: { readonly status: number } } {
    return { code: this.code, http: { status: this.status } };
  }

  get [kPolicyViolation](): true {
    return true;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit this method but must match their own instances only
    if (this !== PolicyViolation) return Function.prototype[Symbol.hasInstance].call(this as NewableFunction, value);
    return typeof value === 'object' && value !== null && kPolicyViolation in value;
  }
}
