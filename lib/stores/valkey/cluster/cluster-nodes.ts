import { clearInterval, setInterval } from '../../../util/clock.js';
import type { ConnectionListener } from '../connection/valkey-connection.js';
import { requestOf } from '../protocol/valkey-request.js';
import type { ClusterMap } from './cluster-map.js';
import { ClusterNode, type ClusterTimeouts } from './cluster-node.js';
import { type ClusterSettings, type NodeAddress, nameOf } from './node-address.js';

/**
 * How often each node gets a heartbeat. A primary that was paused answers reads for a moment before it learns that
 * another node has its slots. The heartbeat closes its connection before that, even in a process without calls.
 */
const HEARTBEAT_MS = 250;
/** Contains no command: the probe behind each request is enough. */
const HEARTBEAT = requestOf();

/** The nodes of a cluster to which the store is connected. */
export class ClusterNodes {
  readonly #settings: ClusterSettings;
  readonly #timeouts: ClusterTimeouts;
  readonly #listenerOf: (address: NodeAddress) => ConnectionListener;
  readonly #nodes = new Map<string, ClusterNode>();
  /** Nodes that a redirect named and that are not primaries in the map: the map may come from a node that is behind. */
  readonly #redirected = new Set<string>();
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(
    settings: ClusterSettings,
    timeouts: ClusterTimeouts,
    listenerOf: (address: NodeAddress) => ConnectionListener,
  ) {
    this.#settings = settings;
    this.#timeouts = timeouts;
    this.#listenerOf = listenerOf;
  }

  get(name: string): ClusterNode | undefined {
    return this.#nodes.get(name);
  }

  /** All nodes, connected or not. */
  get all(): ClusterNode[] {
    return [...this.#nodes.values()];
  }

  /** The nodes whose connection is ready. */
  get ready(): ClusterNode[] {
    return this.all.filter(({ connection }) => connection.wireNow());
  }

  /** The node that a redirect names. Later maps without this node do not close its connection. */
  redirected(address: NodeAddress): ClusterNode {
    this.#redirected.add(nameOf(address));
    return this.#at(address);
  }

  /** Whether a map is known and all its primaries are connected. */
  covers(map: ClusterMap | undefined): boolean {
    return map !== undefined && [...map.primaries].every((name) => this.#nodes.get(name)?.connection.wireNow());
  }

  /**
   * Connects to the primaries of a map and closes connections to other nodes. Until all primaries are connected, it
   * connects to all known nodes instead, because one of them may have a newer map.
   */
  connect(map: ClusterMap | undefined): void {
    this.#heartbeat ??= setInterval(() => this.#sendHeartbeats(), HEARTBEAT_MS).unref();
    const primaries = map?.primaries ?? new Set();
    const isWanted = (name: string): boolean => primaries.has(name) || this.#redirected.has(name);
    for (const [name, address] of map?.nodes ?? []) if (isWanted(name)) this.#at(address);
    if (!this.covers(map)) {
      for (const address of [...this.#settings.seeds, ...(map?.nodes.values() ?? [])]) this.#at(address);
      return;
    }
    for (const name of this.#redirected) if (primaries.has(name)) this.#redirected.delete(name);
    for (const [name, { connection }] of this.#nodes) {
      if (isWanted(name)) continue;
      this.#nodes.delete(name);
      connection.close();
    }
  }

  close(): void {
    clearInterval(this.#heartbeat);
    for (const { connection } of this.#nodes.values()) connection.close();
  }

  #at(address: NodeAddress): ClusterNode {
    const known = this.#nodes.get(nameOf(address));
    if (known) return known;
    const node = new ClusterNode(address, this.#settings.source(address), this.#timeouts, this.#listenerOf(address));
    this.#nodes.set(node.name, node);
    node.connection.start();
    return node;
  }

  #sendHeartbeats(): void {
    for (const node of this.ready) node.ask(HEARTBEAT).catch(() => {});
  }
}
