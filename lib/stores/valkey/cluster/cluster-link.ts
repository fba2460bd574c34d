import type { AplSessionError } from '../../../contract/errors.js';
import { clearInterval, clearTimeout, now, setInterval, setTimeout } from '../../../util/clock.js';
import { withDeadline } from '../../../util/deadlines.js';
import type { ClusterClient } from '../config/valkey-client.js';
import { ConnectionWaiters } from '../connection/connection-waiters.js';
import { closed, ValkeyConnection } from '../connection/valkey-connection.js';
import type { Detour, OnConnected, ValkeyLink } from '../connection/valkey-link.js';
import { redirectIn } from '../protocol/reply-error.js';
import type { Reply } from '../protocol/resp-parser.js';
import { type ConnectionFailure, noConnection } from '../protocol/store-error.js';
import { requestOf } from '../protocol/valkey-request.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';
import { askingFirst } from './cluster-asking.js';
import { ClusterMap, refusalIn } from './cluster-map.js';
import { addressIn, type ClusterSettings, clusterSettings, type NodeAddress, nameOf } from './cluster-settings.js';
import { slotOf } from './cluster-slot.js';

const WHERE_ARE_SLOTS = requestOf(['cluster', 'slots']);
/** How long the map is believed while a primary has no connection. */
const TROUBLED_MAP_MS = 200;
/**
 * How often each primary is asked for a sign of life. One that was paused goes on to answer reads before it hears that another
 * has taken its slots over, so it must have been left by then, also by a process that had nothing to ask it.
 */
const HEARTBEAT_MS = 250;
/** No command; the probe that proves the place of replies is all that is sent. */
const SIGN_OF_LIFE = requestOf();

export interface ClusterTimeouts {
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

interface Node {
  readonly address: NodeAddress;
  readonly connection: ValkeyConnection;
}

/**
 * The way to a cluster: one connection for each primary, each with a health of its own, so that a node which hangs stops
 * its own slots only. Any node that answers is asked for the map of the slots; it is asked again as long as a primary
 * has no connection, and when a server sends a call elsewhere.
 */
export class ClusterLink implements ValkeyLink {
  readonly #settings: ClusterSettings;
  readonly #timeouts: ClusterTimeouts;
  readonly #onConnected: OnConnected;
  readonly #nodes = new Map<string, Node>();
  readonly #waiters = new ConnectionWaiters();
  /** Nodes that have no slot in the map, but were named by a redirect. */
  readonly #guests = new Set<string>();
  readonly #announced = new WeakSet<ValkeyAsker>();
  #map: ClusterMap | undefined;
  /** Why the last node that was asked for the map told none. */
  #refusal: ConnectionFailure | undefined;
  #state: 'idle' | 'asking' | 'settled' | 'closed' = 'idle';
  #again: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(client: ClusterClient, timeouts: ClusterTimeouts, onConnected: OnConnected) {
    this.#settings = clusterSettings(client);
    this.#timeouts = timeouts;
    this.#onConnected = onConnected;
  }

  wireNow(key: string | undefined): ValkeyAsker | undefined {
    if (key === undefined)
      return this.#readyNodes()
        .find((node) => this.#isPrimary(node))
        ?.connection.wireNow();
    const name = this.#map?.primaryOf(slotOf(key));
    return name === undefined ? undefined : this.#nodes.get(name)?.connection.wireNow();
  }

  async wire(key: string | undefined): Promise<ValkeyAsker> {
    const { connectTimeoutMs } = this.#timeouts;
    const failed = (): AplSessionError => noConnection(connectTimeoutMs, this.#failureFor(key));
    const deadline = now() + connectTimeoutMs;
    // the map may change meanwhile, and each new connection is announced to all, hence the loop
    for (;;) {
      if (this.#isClosed()) throw closed();
      const wire = this.wireNow(key);
      if (wire) return wire;
      // a pause of this process may have used the time up, but not that of the server
      const leftMs = deadline - now();
      if (leftMs <= 0) throw failed();
      if (this.#state === 'idle') this.#openWanted();
      await this.#waiters.wait(leftMs, failed);
    }
  }

  detour(error: unknown, key: string | undefined): Detour | undefined {
    const redirect = redirectIn(error);
    if (!redirect || key === undefined || this.#isClosed()) return undefined;
    if (redirect.kind === 'later') {
      this.#refreshSoon(0);
      return { isQuick: false, wire: () => this.wire(key) };
    }
    const told = addressIn(redirect.address, this.#ownerOf(key)?.address);
    if (!told) return undefined;
    const address = this.#settings.reachable(told);
    const { connection } = this.#nodeAt(address);
    // the next map may be of a node that does not know of this yet
    this.#guests.add(nameOf(address));
    if (redirect.kind === 'ask') {
      return { isQuick: true, wire: async () => askingFirst(await connection.wire()) };
    }
    this.#map?.move(slotOf(key), address);
    this.#refreshSoon(0);
    return { isQuick: true, wire: () => connection.wire() };
  }

  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#again);
    clearInterval(this.#heartbeat);
    for (const { connection } of this.#nodes.values()) connection.close();
    this.#waiters.rejectAll(closed());
  }

  #ownerOf(key: string | undefined): Node | undefined {
    const name = key === undefined ? undefined : this.#map?.primaryOf(slotOf(key));
    return name === undefined ? undefined : this.#nodes.get(name);
  }

  /** Why there is no connection for a key: its primary's reason, or that of any node as long as no map is known. */
  #failureFor(key: string | undefined): ConnectionFailure | undefined {
    const owner = this.#ownerOf(key);
    const nodes = owner ? [owner] : [...this.#nodes.values()];
    return nodes.find(({ connection }) => connection.failure)?.connection.failure ?? this.#refusal;
  }

  #readyNodes(): Node[] {
    return [...this.#nodes.values()].filter(({ connection }) => connection.wireNow());
  }

  #nodeAt(address: NodeAddress): Node {
    const name = nameOf(address);
    const known = this.#nodes.get(name);
    if (known) return known;
    const connection = new ValkeyConnection(this.#settings.source(address), this.#timeouts.connectTimeoutMs, {
      onConnected: () => {
        this.#announcePrimaries();
        if (this.#map) this.#waiters.resolveAll();
        else this.#refreshSoon(0);
      },
      onTrouble: () => this.#refreshSoon(this.#map ? 0 : TROUBLED_MAP_MS),
    });
    const node = { address, connection };
    this.#nodes.set(name, node);
    connection.start();
    return node;
  }

  #isPrimary({ address }: Node): boolean {
    return this.#map?.primaries.has(nameOf(address)) ?? false;
  }

  /** A replica is connected to for the map alone. */
  #announcePrimaries(): void {
    for (const node of this.#readyNodes()) {
      const wire = node.connection.wireNow();
      if (!wire || this.#announced.has(wire) || !this.#isPrimary(node)) continue;
      this.#announced.add(wire);
      this.#onConnected(wire, nameOf(node.address));
    }
  }

  #refreshSoon(ms: number): void {
    if (this.#state === 'asking' || this.#isClosed()) return;
    clearTimeout(this.#again);
    this.#again = setTimeout(() => void this.#refresh(), ms).unref();
  }

  /** Takes the map of the first node that tells one. */
  async #refresh(): Promise<void> {
    this.#state = 'asking';
    const asking = this.#readyNodes().map((node) => this.#askForMap(node));
    const map = await Promise.any(asking).catch(() => undefined);
    if (this.#isClosed()) return;
    this.#state = 'settled';
    this.#map = map ?? this.#map;
    this.#openWanted();
    this.#announcePrimaries();
    if (map) this.#waiters.resolveAll();
    if (this.#isTroubled()) this.#refreshSoon(TROUBLED_MAP_MS);
  }

  /** A node that is silent is left, as if a call had found that. */
  async #askForMap({ address, connection }: Node): Promise<ClusterMap> {
    const wire = connection.wireNow();
    const silent = (): Error => {
      wire?.giveUp('The server did not answer in time.');
      return new Error('The node did not answer in time.');
    };
    const asking = async (): Promise<readonly Reply[]> => (await wire?.ask(WHERE_ARE_SLOTS)) ?? [];
    const [reply] = await withDeadline(asking, this.#timeouts.commandTimeoutMs, silent);
    const map = ClusterMap.from(reply, address, this.#settings.reachable);
    this.#refusal = map ? undefined : refusalIn(reply);
    if (!map) throw new Error('The node told no slots.');
    return map;
  }

  #askForLife(): void {
    for (const { connection } of this.#readyNodes()) {
      const wire = connection.wireNow();
      if (!wire) continue;
      const silent = (): Error => {
        wire.giveUp('The server did not answer in time.');
        return new Error('The node did not answer in time.');
      };
      withDeadline(() => wire.ask(SIGN_OF_LIFE), this.#timeouts.commandTimeoutMs, silent).catch(() => {});
    }
  }

  #isTroubled(): boolean {
    const { primaries } = this.#map ?? {};
    return !primaries || [...primaries].some((name) => !this.#nodes.get(name)?.connection.wireNow());
  }

  /** Connects to the primaries; in trouble also to all others that are known, as one of them may know more. */
  #openWanted(): void {
    if (this.#state === 'idle') {
      this.#state = 'settled';
      this.#heartbeat = setInterval(() => this.#askForLife(), HEARTBEAT_MS).unref();
    }
    const wanted = new Map<string, NodeAddress>();
    const primaries = this.#map?.primaries;
    for (const [name, address] of this.#map?.nodes ?? []) {
      if (primaries?.has(name) || this.#guests.has(name)) wanted.set(name, address);
    }
    for (const [name, address] of wanted) void (this.#nodes.has(name) || this.#nodeAt(address));
    if (this.#isTroubled()) {
      for (const address of [...this.#settings.seeds, ...(this.#map?.nodes.values() ?? [])]) this.#nodeAt(address);
      return;
    }
    for (const name of this.#guests) if (primaries?.has(name)) this.#guests.delete(name);
    for (const [name, { connection }] of this.#nodes) {
      if (wanted.has(name) || this.#guests.has(name)) continue;
      this.#nodes.delete(name);
      connection.close();
    }
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }
}
