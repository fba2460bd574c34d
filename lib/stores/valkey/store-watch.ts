import type { AplSessionError } from '../../contract/errors.js';
import type { StoreStatus, StoreStatusFailure, StoreTopology } from '../../contract/store-status.js';
import { isoTime, now } from '../../util/clock.js';
import { LatencyWindow } from '../../util/latency-window.js';
import { hostAndPort } from './config/server-list.js';
import type { ValkeyConfig } from './config/valkey-config.js';
import type { LinkedServer } from './connection/valkey-link.js';
import type { LabelCall } from './label-calls.js';
import type { ValkeyLinks } from './link-to.js';
import type { ConnectionFailure } from './protocol/store-error.js';

/** With any other code the append got no answer: a failed login or handshake tells nothing about later appends. */
const ANSWERED: ReadonlySet<string> = new Set([
  'store.command_failed',
  'store.not_permitted',
  'store.malformed_reply',
  'store.not_synced',
  'store.not_replicated',
]);

const LOST: ConnectionFailure = { code: 'store.unavailable', reason: 'the connection was closed' };

/** Notes connections, failures and the time of calls, for `status()` of the store. */
export class StoreWatch {
  readonly #topology: StoreTopology;
  readonly #addresses: readonly string[];
  readonly #latency = new LatencyWindow();
  #connected = false;
  #since = isoTime();
  #lastFailure: StoreStatusFailure | undefined;
  #lastAppend: StoreStatus['lastAppend'];

  constructor(config: ValkeyConfig) {
    this.#topology = topologyOf(config);
    this.#addresses = Object.freeze(addressesIn(config));
  }

  /** A load or an append has succeeded. */
  answered(call: LabelCall, startedMs: number): void {
    if (call === 'append') this.#lastAppend = 'ok';
    const atMs = now();
    this.#latency.record(atMs - startedMs, atMs);
  }

  /** A call has failed. A session with too many labels does not concern the others. */
  failed({ code, message }: AplSessionError, call: string): void {
    if (code === 'store.too_many_labels') return;
    if (call === 'append' && ANSWERED.has(code)) this.#lastAppend = 'failed';
    this.#note(code, message);
  }

  /** A connection was lost, or an attempt to connect has failed. */
  troubled(links: Pick<ValkeyLinks, 'primaries'>, { code, reason }: ConnectionFailure = LOST): void {
    this.#note(code, reason);
    this.changed(links);
  }

  /** A connection was made or closed. */
  changed(links: Pick<ValkeyLinks, 'primaries'>): readonly LinkedServer[] {
    const primaries = links.primaries();
    const connected = primaries.length > 0 && primaries.every((primary) => primary.connected);
    if (connected !== this.#connected) this.#since = isoTime();
    this.#connected = connected;
    return primaries;
  }

  status(
    links: Pick<ValkeyLinks, 'primaries'>,
    others: Required<Pick<StoreStatus, 'circuit' | 'findings'>>,
  ): StoreStatus {
    // two links may lead to the same primary
    const primaries = [...new Set(this.changed(links).flatMap(({ address }) => address ?? []))];
    return Object.freeze({
      connected: this.#connected,
      since: this.#since,
      topology: this.#topology,
      primaries: Object.freeze(primaries),
      addresses: this.#addresses,
      ...(this.#lastFailure && { lastFailure: this.#lastFailure }),
      ...(this.#lastAppend && { lastAppend: this.#lastAppend }),
      latency: Object.freeze(this.#latency.summary()),
      ...others,
    });
  }

  #note(code: StoreStatusFailure['code'], reason: string): void {
    this.#lastFailure = Object.freeze({ code, reason, at: isoTime() });
  }
}

function topologyOf(config: ValkeyConfig): StoreTopology {
  if ('endpoint' in config) return 'single';
  if ('sentinels' in config) return 'sentinel';
  if ('nodes' in config || config.client.isCluster) return 'cluster';
  return config.client.options.sentinels ? 'sentinel' : 'single';
}

/** A client has its addresses in many forms, so they are left out. */
function addressesIn(config: ValkeyConfig): string[] {
  if ('endpoint' in config) return [hostAndPort(config.endpoint)];
  if ('sentinels' in config) return config.sentinels.addresses.map(hostAndPort);
  return 'nodes' in config ? config.nodes.addresses.map(hostAndPort) : [];
}
