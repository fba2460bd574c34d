import type { LabelOrigin, SessionExplanation } from '../../contract/provenance.js';
import { assertLabelCount } from '../../labels/label-limit.js';
import { recordsOf } from '../../provenance/label-record.js';
import { sha256Hex } from '../../session/digest.js';
import { RecentIds } from '../../session/recent-ids.js';
import { now } from '../../util/clock.js';
import { explainSession } from './calls/explain-command.js';
import { appendCommand, assertAppended, labelsIn, loadCommand } from './calls/label-commands.js';
import { ttlCommand } from './calls/ttl-command.js';
import { type RefreshListener, TtlRefresh } from './calls/ttl-refresh.js';
import type { ValkeyCaller } from './calls/valkey-caller.js';
import type { ValkeyConfig } from './config/valkey-config.js';
import type { SyncedServer } from './durability/synced-server.js';
import type { ValkeyLinks } from './link-to.js';
import { resultOf } from './protocol/reply-error.js';
import type { ValkeyAsker } from './protocol/valkey-wire.js';
import { addRecords, isSplit, type RecordCommands, renewedToo } from './provenance/record-commands.js';

interface LabelCallsOptions {
  readonly config: ValkeyConfig;
  readonly links: ValkeyLinks;
  readonly caller: ValkeyCaller;
  /** Set with `durability.local`. */
  readonly synced: SyncedServer | undefined;
  /** The name of this process in records; `undefined` without `provenance`. */
  readonly node: string | undefined;
  readonly refreshes: RefreshListener;
  /** Called when a load or an append has succeeded, with the time at which its commands were sent. */
  readonly onAnswered: (call: LabelCall, startedMs: number) => void;
}

export type LabelCall = 'load' | 'append';

/** The calls about the labels of a session: load, append and explain. */
export class LabelCalls {
  readonly #options: LabelCallsOptions;
  readonly #keys: RecentIds;

  constructor(options: LabelCallsOptions) {
    this.#options = options;
    this.#keys = new RecentIds((sessionId) => keyOf(options.config, sessionId));
  }

  load(sessionId: string): Promise<string[]> {
    const { caller, links } = this.#options;
    const key = this.#keys.of(sessionId);
    return caller.call({ name: 'load', link: links.loads, key, command: (wire) => this.#load(wire, key) });
  }

  async append(
    sessionId: string,
    labels: readonly string[],
    origins: ReadonlyMap<string, LabelOrigin> | undefined,
  ): Promise<void> {
    if (labels.length === 0) return;
    const { config, caller, links } = this.#options;
    const key = this.#keys.of(sessionId);
    // the caller may change its list while the call waits for a connection
    const copy = [...labels];
    // most appends have one label, and a Set is expensive
    if (copy.length > config.maxLabelsPerSession) assertLabelCount(new Set(copy).size, config.maxLabelsPerSession);
    const records = this.#recordsFor(key, copy, origins);
    const command = (wire: ValkeyAsker): Promise<void> =>
      records ? this.#appendWith(records, wire, key, copy) : this.#append(wire, key, copy);
    await caller.call({ name: 'append', link: links.appends, key, command });
  }

  explain(sessionId: string): Promise<SessionExplanation> {
    const { config, caller, links } = this.#options;
    const key = this.#keys.of(sessionId);
    const command = (wire: ValkeyAsker): Promise<SessionExplanation> =>
      explainSession(wire, key, config.maxLabelsPerSession);
    return caller.call({ name: 'explain', link: links.loads, key, command });
  }

  async #load(wire: ValkeyAsker, key: string): Promise<string[]> {
    const startedMs = now();
    const { ttlSeconds, maxLabelsPerSession } = this.#options.config;
    const stillPrimary = wire.stillPrimary();
    // it may reject before the labels arrive, when it is not awaited yet
    stillPrimary?.catch(() => {});
    const reading = wire.ask(loadCommand(key));
    const refresh = ttlSeconds === undefined ? undefined : this.#refresh(wire, key, ttlSeconds);
    const labels = labelsIn(await reading, maxLabelsPerSession);
    if (stillPrimary) await stillPrimary;
    this.#options.onAnswered('load', startedMs);
    refresh?.onRead(labels);
    return labels;
  }

  #refresh(wire: ValkeyAsker, key: string, ttlSeconds: number): TtlRefresh {
    const { node, refreshes, caller } = this.#options;
    const ttl = ttlCommand(key, ttlSeconds);
    const request = node === undefined ? ttl : renewedToo(ttl, key, ttlSeconds);
    const reply = wire.askUnproven(request).then(([count]) => resultOf(count));
    const refresh = new TtlRefresh(reply, refreshes);
    caller.watch(refresh, wire);
    return refresh;
  }

  #recordsFor(
    key: string,
    labels: readonly string[],
    origins: ReadonlyMap<string, LabelOrigin> | undefined,
  ): RecordCommands | undefined {
    const { node, config } = this.#options;
    if (node === undefined || !origins) return undefined;
    const records = recordsOf(labels, origins, node);
    return records.size === 0 ? undefined : addRecords(key, records, config.ttlSeconds);
  }

  async #appendWith(records: RecordCommands, wire: ValkeyAsker, key: string, labels: readonly string[]): Promise<void> {
    try {
      await this.#append(wire, key, labels, records);
    } catch (error) {
      if (!isSplit(error)) throw error;
      // do not follow the redirect: it may belong to the key of the records, and the key of the labels may still be here
      await this.#append(wire, key, labels);
    }
  }

  async #append(wire: ValkeyAsker, key: string, labels: readonly string[], records?: RecordCommands): Promise<void> {
    const { config, synced, onAnswered } = this.#options;
    const startedMs = now();
    const appending = wire.ask(appendCommand(key, labels, config.ttlSeconds, records));
    const syncing = synced?.assertSynced(wire);
    // it may reject before the append is answered, when it is not awaited yet
    syncing?.catch(() => {});
    assertAppended(await appending, records);
    if (syncing) await syncing;
    onAnswered('append', startedMs);
  }
}

/** The key of a session in Valkey. */
export function keyOf({ keyPrefix }: ValkeyConfig, sessionId: string): string {
  return `${keyPrefix}:${sha256Hex(sessionId)}`;
}
