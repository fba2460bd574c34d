import { ReplyError } from '../protocol/reply-error.js';
import { ErrorReply, type Reply } from '../protocol/resp-parser.js';
import { type ConnectionFailure, connectionFailureOf } from '../protocol/store-error.js';
import { type ClusterSettings, type NodeAddress, nameOf } from './node-address.js';

const SLOTS = 16_384;

/** The primary of each slot, as one of the nodes sees it. */
export class ClusterMap {
  /** All nodes in the reply, by name. */
  readonly nodes = new Map<string, NodeAddress>();
  readonly #primaryOf: Array<string | undefined> = Array.from({ length: SLOTS });

  /** The name of the primary of a slot. */
  primaryOf(slot: number): string | undefined {
    return this.#primaryOf[slot];
  }

  get primaries(): ReadonlySet<string> {
    return new Set(this.#primaryOf.filter((name) => name !== undefined));
  }

  /** Records the address from a redirect. */
  move(slot: number, address: NodeAddress): void {
    if (!(slot >= 0 && slot < SLOTS)) return;
    this.nodes.set(nameOf(address), address);
    this.#primaryOf[slot] = nameOf(address);
  }

  /** Reads the reply of the node at `asked` to `CLUSTER SLOTS`. Returns `undefined` if the reply has no slots. */
  static from(
    reply: Reply | undefined,
    asked: NodeAddress,
    reachable: ClusterSettings['reachable'],
  ): ClusterMap | undefined {
    const map = new ClusterMap();
    for (const range of Array.isArray(reply) ? reply : []) {
      const [from, to, ...nodes] = Array.isArray(range) ? (range as readonly Reply[]) : [];
      const addresses = nodes.flatMap((node) => addressOf(node, asked)).map(reachable);
      for (const address of addresses) map.nodes.set(nameOf(address), address);
      const [primary] = addresses;
      if (!primary || typeof from !== 'number' || typeof to !== 'number') continue;
      map.#primaryOf.fill(nameOf(primary), Math.max(from, 0), Math.min(to + 1, SLOTS));
    }
    return map.primaries.size > 0 ? map : undefined;
  }
}

/** Reads host and port. A node that does not know its own host has the address at which it was asked. */
function addressOf(node: Reply, asked: NodeAddress): NodeAddress[] {
  const [host, port] = Array.isArray(node) ? (node as readonly Reply[]) : [];
  // '?' stands for a host name that is not configured
  if (host === '?' || typeof port !== 'number' || port <= 0) return [];
  return [{ host: typeof host === 'string' && host !== '' ? host : asked.host, port }];
}

/** Why a node did not send a map. */
export function refusalIn(reply: Reply | undefined): ConnectionFailure {
  const { code, reason } = connectionFailureOf(reply instanceof ErrorReply ? new ReplyError(reply.text) : undefined);
  return code === 'store.unavailable'
    ? { code, reason: 'the nodes did not send a map of the slots' }
    : { code, reason };
}
