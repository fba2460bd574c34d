import { AplSessionError } from '../../contract/errors.js';
import { isLabel } from '../../labels/label.js';
import { assertLabelCount } from '../../labels/label-limit.js';

/** One reply of a transaction: an error, or a result. */
export type ReplyTuple = [error: Error | null, result: unknown];

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

/** The two replies of a transaction, whose promise resolves even when a command inside failed. */
export function pairOf(commands: string, reply: unknown): { first: ReplyTuple; second: ReplyTuple } {
  const [first, second] = Array.isArray(reply) && reply.length === 2 ? (reply as unknown[]) : [];
  if (Array.isArray(first) && Array.isArray(second)) {
    return { first: first as ReplyTuple, second: second as ReplyTuple };
  }
  throw malformed(commands, 'something else than two replies');
}

/** The result inside a tuple; throws the error that is there instead. */
export function resultOf([error, result]: ReplyTuple): unknown {
  if (error) throw error;
  return result;
}

function malformed(command: string, found: string): AplSessionError {
  return new AplSessionError('store.malformed_reply', `Valkey answered ${command} with ${found}.`);
}
