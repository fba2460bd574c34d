import { ReplyError } from '../protocol/reply-error.js';
import { ErrorReply, type Reply } from '../protocol/resp-parser.js';
import { type ConnectionFailure, connectionFailureOf } from '../protocol/store-error.js';
import { type ClusterSettings, type NodeAddress, nameOf } from './cluster-settings.js';

const SLOTS = 16_384;

/** Which node has which slots, as one of them has told. */
export class ClusterMap {
  /** All nodes that were told, by name. */
  readonly nodes = new Map<string, NodeAddress>();
  readonly #primaryOf: Array<string | undefined> = Array.from({ length: SLOTS });

  /** The name of the primary of a slot. */
  primaryOf(slot: number): string | undefined {
    return this.#primaryOf[slot];
  }

  get primaries(): ReadonlySet<string> {
    return new Set(this.#primaryOf.filter((name) => name !== undefined));
  }

  /** A redirect has told that this slot is there. */
  move(slot: number, address: NodeAddress): void {
    if (!(slot >= 0 && slot < SLOTS)) return;
    this.nodes.set(nameOf(address), address);
    this.#primaryOf[slot] = nameOf(address);
  }

  /** Reads the reply to `CLUSTER SLOTS` of the node at `asked`; `undefined` if it names no slot. */
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

/** Host, port and more. A node that does not know its own host is where it was asked. */
function addressOf(node: Reply, asked: NodeAddress): NodeAddress[] {
  const [host, port] = Array.isArray(node) ? (node as readonly Reply[]) : [];
  // '?' is what Valkey says for a host name that it was not told
  if (host === '?' || typeof port !== 'number' || port <= 0) return [];
  return [{ host: typeof host === 'string' && host !== '' ? host : asked.host, port }];
}

/** Why a node told no map of the slots. */
export function refusalIn(reply: Reply | undefined): ConnectionFailure {
  const { code, reason } = connectionFailureOf(reply instanceof ErrorReply ? new ReplyError(reply.text) : undefined);
  return code === 'store.unavailable' ? { code, reason: 'no node told the slots of the cluster' } : { code, reason };
}
