import { AplSessionError } from '../../contract/errors.js';

/** One reply of a transaction: an error, or a result. */
export type ReplyTuple = [error: Error | null, result: unknown];

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

/**
 * Makes a store error of what ioredis rejects with. ioredis hangs the command on its errors, and Valkey repeats
 * arguments in some messages and the user's name in others; keys, labels and logins must not travel with either.
 */
export function toStoreError(operation: string, error: unknown): AplSessionError {
  if (error instanceof AplSessionError) return error;
  const { name, message } = error as Error;
  const text = message.replace(/,? with args beginning with:.*/s, '').replace(/\bUser \S+ has/, 'The user has');
  const code = name === 'ReplyError' ? 'store.command_failed' : 'store.unavailable';
  return new AplSessionError(code, `Valkey ${operation} failed: ${text}`);
}
