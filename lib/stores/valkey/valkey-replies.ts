import { AplSessionError } from '../../contract/errors.js';

/** Reads a SMEMBERS reply. A member that did not decode as UTF-8 holds U+FFFD, which no label may. */
export function membersOf(reply: unknown): string[] {
  if (!Array.isArray(reply)) throw malformed('SMEMBERS', 'no array');
  for (const member of reply) {
    if (typeof member !== 'string') throw malformed('SMEMBERS', 'a member that is no string');
    if (member.includes('\ufffd')) throw malformed('SMEMBERS', 'a member that is not UTF-8');
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
