import { randomUUID } from 'node:crypto';
import type { Violation } from '../contract/security.js';

/** What a denial says: the violation, and the id of this denial. */
export interface DenialDetails extends Violation {
  /**
   * `urn:uuid:` and a random id, different for each denied request. The alarms and the debug lines about the request have the same
   * id, so that an operator finds them by what the client reports. It says nothing about the session.
   */
  readonly instance: string;
}

export function newInstance(): string {
  return `urn:uuid:${randomUUID()}`;
}

export function detailsOf({ code, reason }: Violation, instance: string): DenialDetails {
  return Object.freeze({ code, reason, instance });
}
