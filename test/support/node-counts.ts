import type { ValkeyNode } from './valkey-group.js';

/** How many commands with labels the servers execute during an action. */
export async function countLabelCommands(
  servers: readonly ValkeyNode[],
  action: () => Promise<unknown>,
): Promise<number> {
  await Promise.all(servers.map(({ admin }) => admin.config('RESETSTAT')));
  await action();
  const infos = await Promise.all(servers.map(({ admin }) => admin.info('commandstats')));
  const calls = infos.flatMap((info) => [...info.matchAll(/^cmdstat_(?:sadd|smembers|expire):calls=(\d+)/gm)]);
  return calls.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** The entries in the ACL logs of the processes. */
export async function deniedBy(nodes: readonly ValkeyNode[]): Promise<string[]> {
  const logs = await Promise.all(nodes.map(({ admin }) => admin.call('ACL', 'LOG')));
  return logs.flatMap((log) => (log as unknown[][]).map((entry) => entry.join(' ')));
}
