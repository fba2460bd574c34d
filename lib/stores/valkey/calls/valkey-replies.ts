import { AplSessionError } from '../../../contract/errors.js';
import { isLabel } from '../../../labels/label.js';
import { assertLabelCount } from '../../../labels/label-limit.js';

/**
 * Reads a SMEMBERS reply. A member that did not decode as UTF-8 holds U+FFFD, which no label may.
 * @throws AplSessionError `store.malformed_reply`; `store.too_many_labels` for more than `maxLabels`
 */
export function membersOf(reply: unknown, maxLabels: number): string[] {
  if (!Array.isArray(reply)) throw malformed('SMEMBERS', 'no array');
  assertLabelCount(reply.length, maxLabels);
  for (const member of reply) {
    if (typeof member !== 'string') throw malformed('SMEMBERS', 'a member that is no string');
    if (member.includes('\ufffd')) throw malformed('SMEMBERS', 'a member that is not UTF-8');
    if (!isLabel(member))
      throw malformed('SMEMBERS', 'a member that is no label: empty, too long or with a control character');
  }
  return reply;
}

/** Reads the reply of SADD or EXPIRE. */
export function countOf(command: string, reply: unknown): number {
  if (typeof reply === 'number' && Number.isInteger(reply) && reply >= 0) return reply;
  throw malformed(command, 'no count');
}

function malformed(command: string, found: string): AplSessionError {
  return new AplSessionError('store.malformed_reply', `Valkey answered ${command} with ${found}.`);
}
