import type { AplSessionErrorCode } from '../../contract/errors.js';

/** One result of `doctor`. `unknown` means that the server does not give the answer. */
export interface Finding {
  /** `host:port` of the server or Sentinel, or a word for all of them. */
  readonly server: string;
  readonly name: string;
  readonly status: 'ok' | 'unknown' | 'warning' | 'failure';
  readonly detail: string;
  /** How to mend it. Absent if nothing needs to be done. */
  readonly fix?: string;
  /** The code of the error that the store would raise. */
  readonly code?: AplSessionErrorCode;
}

/** A finding whose server is not known to the check. */
export type LocalFinding = Omit<Finding, 'server'>;

export function at(server: string, findings: readonly LocalFinding[]): Finding[] {
  return findings.map((finding) => ({ server, ...finding }));
}
