import { AsyncResource } from 'node:async_hooks';
import { clearTimeout, setTimeout } from '../../../util/clock.js';
import { ConnectionWaiters } from '../connection/connection-waiters.js';
import type { ConnectionListener } from '../connection/valkey-connection.js';
import type { Detour, LinkedServer, LinkHooks, ValkeyLink } from '../connection/valkey-link.js';
import { type Redirect, ReplyError, redirectIn } from '../protocol/reply-error.js';
import type { ConnectionFailure } from '../protocol/store-error.js';
import { requestOf } from '../protocol/valkey-request.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';
import { askingFirst } from './asking-first.js';
import { ClusterMap, refusalIn } from './cluster-map.js';
import type { ClusterNode, ClusterTimeouts } from './cluster-node.js';
import { ClusterNodes } from './cluster-nodes.js';
import { addressIn, type ClusterSettings, type NodeAddress, nameOf } from './node-address.js';
import { slotOf } from './slot-of.js';

const CLUSTER_SLOTS = requestOf(['cluster', 'slots']);
/** How often the map is refreshed while a primary is not connected. */
const REFRESH_MS = 200;
/** Enough to find a key of each primary, even of one with few slots. */
const MAX_KEYS_TRIED = 100_000;

/**
 * The connections to a cluster, one for each primary. The map of the slots comes from any node that answers. It is
 * refreshed while a primary is not connected, and after a redirect.
 */
export class ClusterLink implements ValkeyLink {
  readonly #settings: ClusterSettings;
  readonly #hooks: LinkHooks;
  readonly #nodes: ClusterNodes;
  readonly #waiters: ConnectionWaiters;
  /** Connections for which `onConnected` was called. */
  readonly #announced = new WeakSet<ValkeyAsker>();
  /** Connections and timers must not run in the asynchronous context of the request that needs them first. */
  readonly #context = new AsyncResource('express-apl-session.cluster');
  #map: ClusterMap | undefined;
  /** Why the last node that was asked did not send a map. */
  #mapFailure: ConnectionFailure | undefined;
  #state: 'idle' | 'refreshing' | 'settled' | 'closed' = 'idle';
  #nextRefresh: NodeJS.Timeout | undefined;

  constructor(settings: ClusterSettings, timeouts: ClusterTimeouts, hooks: LinkHooks) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#waiters = new ConnectionWaiters(timeouts.connectTimeoutMs);
    this.#nodes = new ClusterNodes(this.#settings, timeouts, (address) => this.#listenerOf(address));
  }

  wireNow(key: string | undefined): ValkeyAsker | undefined {
    const node = key === undefined ? this.#nodes.ready.find((each) => this.#isPrimary(each)) : this.#primaryOf(key);
    return node?.connection.wireNow();
  }

  wire(key: string | undefined): Promise<ValkeyAsker> {
    const find = (): ValkeyAsker | undefined => {
      if (this.#state === 'idle') this.#start();
      return this.wireNow(key);
    };
    return this.#waiters.waitFor(find, () => this.#failureFor(key));
  }

  detour(error: unknown, key: string | undefined): Detour | undefined {
    const redirect = redirectIn(error);
    if (!redirect || key === undefined || this.#isClosed()) return undefined;
    return this.#context.runInAsyncScope(() => this.#detourTo(redirect, key));
  }

  primaries(): readonly LinkedServer[] {
    return [...(this.#map?.primaries ?? [])].map((address) => ({
      address,
      connected: this.#nodes.get(address)?.connection.wireNow() !== undefined,
    }));
  }

  keyOfEachPrimary(): readonly string[] {
    const keys = new Map<string, string>();
    const primaries = this.#map?.primaries.size ?? 0;
    // keys are spread evenly over the slots, so each primary has one of the first keys
    for (let key = 0; key < MAX_KEYS_TRIED && keys.size < primaries; key += 1) {
      const name = this.#map?.primaryOf(slotOf(`${key}`));
      if (name !== undefined) keys.set(name, `${key}`);
    }
    return [...keys.values()];
  }

  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#nextRefresh);
    this.#nodes.close();
    this.#waiters.close();
  }

  #listenerOf(address: NodeAddress): ConnectionListener {
    return {
      onConnected: () => {
        this.#announcePrimaries();
        if (this.#map) this.#waiters.notifyAll();
        else this.#refreshIn(0);
      },
      onTrouble: (failure) => {
        this.#hooks.onTrouble(failure);
        this.#refreshIn(this.#map ? 0 : REFRESH_MS);
      },
      callsOn: (wire) => this.#hooks.callsOn(wire, (prefix) => this.#keyOn(nameOf(address), prefix)),
    };
  }

  /** A key whose slot this node has. */
  #keyOn(name: string, prefix: string): string {
    const start = Math.floor(Math.random() * MAX_KEYS_TRIED);
    for (let at = start; at < start + MAX_KEYS_TRIED; at += 1) {
      const key = `${prefix}:${at}`;
      if (this.#map?.primaryOf(slotOf(key)) === name) return key;
    }
    // the map may be older than a redirect to this node
    throw new ReplyError('TRYAGAIN The node has no slots in the map.');
  }

  #start(): void {
    this.#state = 'settled';
    this.#context.runInAsyncScope(() => this.#nodes.connect(undefined));
  }

  #detourTo(redirect: Redirect, key: string): Detour | undefined {
    if (redirect.kind === 'later') {
      this.#refreshIn(0);
      return { isQuick: false, wire: () => this.wire(key) };
    }
    const named = addressIn(redirect.address, this.#primaryOf(key)?.address);
    if (!named) return undefined;
    const address = this.#settings.reachable(named);
    const { connection } = this.#nodes.redirected(address);
    if (redirect.kind === 'ask') {
      return { isQuick: true, wire: async () => askingFirst(await connection.wire()) };
    }
    this.#map?.move(slotOf(key), address);
    this.#refreshIn(0);
    return { isQuick: true, wire: () => connection.wire() };
  }

  #primaryOf(key: string): ClusterNode | undefined {
    const name = this.#map?.primaryOf(slotOf(key));
    return name === undefined ? undefined : this.#nodes.get(name);
  }

  #isPrimary({ name }: ClusterNode): boolean {
    return this.#map?.primaries.has(name) ?? false;
  }

  /** Why there is no connection for a key: the failure of its primary, or of any node while there is no map. */
  #failureFor(key: string | undefined): ConnectionFailure | undefined {
    const primary = key === undefined ? undefined : this.#primaryOf(key);
    const nodes = primary ? [primary] : this.#nodes.all;
    return nodes.find(({ connection }) => connection.failure)?.connection.failure ?? this.#mapFailure;
  }

  /** Calls `onConnected` for new connections to primaries. Replicas are connected only for the map. */
  #announcePrimaries(): void {
    for (const node of this.#nodes.ready) {
      const wire = node.connection.bareWireNow();
      if (!wire || this.#announced.has(wire) || !this.#isPrimary(node)) continue;
      this.#announced.add(wire);
      this.#hooks.onConnected(wire, node.name, node.connection.wireNow() ?? wire);
    }
  }

  #refreshIn(ms: number): void {
    if (this.#state === 'refreshing' || this.#isClosed()) return;
    clearTimeout(this.#nextRefresh);
    this.#nextRefresh = setTimeout(() => void this.#refresh(), ms).unref();
  }

  /** Asks all nodes for their map and takes the first one. */
  async #refresh(): Promise<void> {
    this.#state = 'refreshing';
    const maps = this.#nodes.ready.map((node) => this.#mapFrom(node));
    const map = await Promise.any(maps).catch(() => undefined);
    if (this.#isClosed()) return;
    this.#state = 'settled';
    this.#map = map ?? this.#map;
    this.#nodes.connect(this.#map);
    this.#announcePrimaries();
    if (map) this.#waiters.notifyAll();
    if (!this.#nodes.covers(this.#map)) this.#refreshIn(REFRESH_MS);
  }

  async #mapFrom(node: ClusterNode): Promise<ClusterMap> {
    const [reply] = await node.ask(CLUSTER_SLOTS);
    const map = ClusterMap.from(reply, node.address, this.#settings.reachable);
    this.#mapFailure = map ? undefined : refusalIn(reply);
    if (!map) throw new Error('The node has no map of the slots.');
    return map;
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }
}
