import { bulkText, isCount, type ValkeyRequest } from '../protocol/valkey-request.js';

const REPLIES = [isCount];

/**
 * Sets the TTL of a session. A load sends this beside its read, an append as the last command of its transaction.
 * Its only reply besides an error is a count.
 */
export function ttlCommand(key: string, ttlSeconds: number): ValkeyRequest {
  return { text: `*3\r\n$6\r\nexpire\r\n${bulkText(key)}${bulkText(`${ttlSeconds}`)}`, replies: REPLIES };
}

/** Whether the key was missing, so that the command had no effect. */
export function keyWasMissing(reply: unknown): boolean {
  return reply === 0;
}
