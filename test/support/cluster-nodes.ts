import type { ValkeyGroup, ValkeyNode } from './valkey-group.js';

const SLOTS = 16_384;
const PRIMARIES = 3;

/** A node of a cluster of three primaries, and the port on which the nodes talk to each other. */
export interface ClusterNode {
  readonly node: ValkeyNode;
  readonly busPort: number;
}

/** Starts the node with this index; it has no slots yet. */
export async function startClusterNode(
  group: ValkeyGroup,
  index: number,
  args: readonly string[],
): Promise<ClusterNode> {
  const busPort = await group.innerPort();
  const own = ['--cluster-port', String(busPort), '--cluster-config-file', `nodes-${index}`];
  const node = await group.start(...args, '--cluster-enabled', 'yes', ...own);
  // two primaries of one epoch may both claim a slot
  await node.admin.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
  return { node, busPort };
}

/** The first node tells the others its name and theirs. */
export async function introduce([first, ...others]: readonly ClusterNode[]): Promise<void> {
  for (const { node, busPort } of others) {
    await first?.node.admin.call('CLUSTER', 'MEET', '127.0.0.1', node.peerPort, busPort);
  }
}

/** The slots of the primary with this index. */
export function slotsOfPrimary(index: number): [from: number, to: number] {
  return [Math.ceil((index * SLOTS) / PRIMARIES), Math.ceil(((index + 1) * SLOTS) / PRIMARIES) - 1];
}
