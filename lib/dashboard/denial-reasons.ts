import { LOAD_FAILED, PERSIST_FAILED, POLICY_ERROR, SESSION_REQUIRED, SESSION_UNKNOWN } from '../denial/violations.js';

const REASONS: ReadonlyMap<string, string> = new Map(
  [LOAD_FAILED, PERSIST_FAILED, POLICY_ERROR, SESSION_REQUIRED, SESSION_UNKNOWN].map(({ code, reason }) => [
    code,
    reason,
  ]),
);

/** The reason of a denial of this package. The reason of an app may hold a label, so its code must be enough. */
export function reasonOf(code: string): { readonly reason?: string } {
  const reason = REASONS.get(code);
  return reason === undefined ? {} : { reason };
}
