import type { Reply } from './resp-parser.js';

export type ValkeyRole = 'primary' | 'replica' | 'unknown';

/** The role that a server tells in its reply to `HELLO`, which is a list of names and values. */
export function roleIn(reply: Reply | undefined): ValkeyRole {
  const role = Array.isArray(reply) ? reply[reply.indexOf('role') + 1] : undefined;
  if (role === 'master' || role === 'primary') return 'primary';
  return role === 'replica' || role === 'slave' ? 'replica' : 'unknown';
}
