// `ErrorOptions`, also for apps that compile to an older JavaScript
/// <reference lib="es2022.error" preserve="true" />

/**
 * Every error code of this package. Codes are stable: they are part of the public API.
 *
 * `config.*`, `runtime.*` and `policy.invalid_document` are thrown at construction. `label.*`, `session.invalid`, `violation.invalid`, `middleware.*` and
 * `context.missing` are thrown by the call that is wrong. Stores reject with `store.*`. Four codes are also codes of denials:
 * `session.load_failed` and `session.persist_failed` if the store fails, `session.required` and `policy.error` by guards;
 * `openSession` rejects with the first three of them.
 */
export type AplSessionErrorCode =
  | 'config.invalid'
  | 'config.store_kind_missing'
  | 'config.store_kind_unknown'
  | 'config.store_build_failed'
  | 'runtime.unsupported'
  | 'label.invalid'
  | 'label.immutable'
  | 'session.invalid'
  | 'session.load_failed'
  | 'session.persist_failed'
  | 'session.required'
  | 'session.unknown'
  | 'session.capacity_exceeded'
  | 'policy.error'
  | 'policy.invalid_document'
  | 'violation.invalid'
  | 'middleware.missing'
  | 'middleware.conflict'
  | 'context.missing'
  | 'store.timeout'
  | 'store.unavailable'
  | 'store.circuit_open'
  | 'store.login_failed'
  | 'store.not_permitted'
  | 'store.tls_failed'
  | 'store.certificate_untrusted'
  | 'store.certificate_expired'
  | 'store.certificate_wrong_name'
  | 'store.command_failed'
  | 'store.malformed_reply'
  | 'store.not_synced'
  | 'store.not_replicated'
  | 'store.full'
  | 'store.too_many_labels'
  | 'store.closed';

/** Registered globally, so that all copies of this package in a process share it. */
const kAplSessionError = Symbol.for('express-apl-session.AplSessionError');

/**
 * Every error of this package. `code` is stable, `message` is for people, `cause` is for the log. `code` and `message` never
 * hold a label, a session id or a credential. `instanceof AplSessionError` is also true for errors of another copy of this
 * package.
 */
export class AplSessionError extends Error {
  override readonly name = 'AplSessionError';

  readonly code: AplSessionErrorCode;

  constructor(code: AplSessionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get [kAplSessionError](): true {
    return true;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit this method but must match their own instances only
    if (this !== AplSessionError) return Function.prototype[Symbol.hasInstance].call(this as NewableFunction, value);
    return typeof value === 'object' && value !== null && kAplSessionError in value;
  }
}
