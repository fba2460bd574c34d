import type { ValkeyClient } from './valkey-client.js';

export type ValkeyRole = 'primary' | 'replica' | 'unknown';

/** What a new connection finds out about its server. */
export interface Greeting {
  readonly role: ValkeyRole;

  /** Whether the server promised to refuse reads on this connection should it become a replica. */
  readonly refusesReadsOnceDemoted: boolean;
}

/**
 * One round trip, once a connection. `HELLO` tells the role and needs no right. A server that is made a replica keeps
 * its connections and goes on answering reads; `CLIENT CAPA redirect` (Valkey 8) makes it refuse them with `-REDIRECT`.
 */
export async function greet(client: ValkeyClient): Promise<Greeting> {
  const [capability, role] = await Promise.all([
    client.call('CLIENT', 'CAPA', 'redirect').then(
      () => true,
      () => false,
    ),
    askRole(client),
  ]);
  return { role, refusesReadsOnceDemoted: capability };
}

/** The role that the server has at this moment; `unknown` if it does not say. Rejects if the connection is lost. */
export async function askRole(client: ValkeyClient): Promise<ValkeyRole> {
  try {
    return roleIn(await client.call('HELLO'));
  } catch (error) {
    // a proxy between us and the server may not know the command
    if ((error as Error).name === 'ReplyError') return 'unknown';
    throw error;
  }
}

/** The reply is a list of names and values, or an object, as the protocol and the client's options have it. */
function roleIn(reply: unknown): ValkeyRole {
  const role = Array.isArray(reply) ? reply[reply.indexOf('role') + 1] : (reply as { role?: unknown } | null)?.role;
  if (role === 'master' || role === 'primary') return 'primary';
  return role === 'replica' || role === 'slave' ? 'replica' : 'unknown';
}
