import type { Violation } from '../contract/security.js';
import { toViolation } from './violations.js';

/** Shared by all copies of this package in a process. */
const kPolicyViolation = Symbol.for('express-apl-session.PolicyViolation');

/**
 * A violation to throw, from anywhere behind the middleware. `policyViolationHandler()` turns it into the denial;
 * without that, Express answers 403 in its own way, and so do Koa and Nest. A server of GraphQL makes an error of it,
 * whose message is the reason and whose `extensions.code` is the code. None of them sends the cause.
 *
 * `instanceof PolicyViolation` also holds for errors of another copy of this package.
 */
export class PolicyViolation extends Error implements Violation {
  override readonly name: string = 'PolicyViolation';
  readonly code: string;
  readonly reason: string;

  /** What Express, Koa and others that answer errors take the status from. */
  readonly status = 403;
  readonly statusCode = 403;

  /**
   * @param options `cause`, for your log; it never reaches the client
   * @throws AplSessionError `violation.invalid`
   */
  constructor(violation: Violation, options?: ErrorOptions) {
    const { code, reason } = toViolation(violation);
    super(reason, options);
    this.code = code;
    this.reason = reason;
  }

  /** Whether the message is for the client. Koa and Nest answer other errors with a 500, or without their message. */
  get expose(): true {
    return true;
  }

  /** What servers of GraphQL put into the error that the client gets; some take the status of the answer from it. */
  get extensions(): { readonly code: string; readonly http: { readonly status: number } } {
    return { code: this.code, http: { status: this.status } };
  }

  get [kPolicyViolation](): true {
    return true;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: a subclass inherits this, and not every violation is one of its own
    if (this !== PolicyViolation) return Function.prototype[Symbol.hasInstance].call(this as NewableFunction, value);
    return typeof value === 'object' && value !== null && kPolicyViolation in value;
  }
}
