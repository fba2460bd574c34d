import { AsyncResource } from 'node:async_hooks';
import type { Alarm, AlarmListener, SessionStoreCircuitChanged } from '../../contract/alarms.js';
import type { LabelOrigin, SessionExplanation } from '../../contract/provenance.js';
import type { SessionStore, SessionStoreFactory, StoreCheckOptions } from '../../contract/session-store.js';
import type { StoreFinding, StoreStatus } from '../../contract/store-status.js';
import { assertLabelCount } from '../../labels/label-limit.js';
import { recordsOf } from '../../provenance/label-record.js';
import { nodeOf, noProvenance } from '../../provenance/provenance-option.js';
import { sha256Hex } from '../../session/digest.js';
import { now } from '../../util/clock.js';
import { explainSession } from './calls/explain-command.js';
import { appendCommand, assertAppended, labelsIn, loadCommand } from './calls/label-commands.js';
import { ping } from './calls/ping.js';
import { RefreshAlarms } from './calls/refresh-alarms.js';
import { SelfChecks } from './calls/self-checks.js';
import { ttlCommand } from './calls/ttl-command.js';
import { TtlRefresh } from './calls/ttl-refresh.js';
import { ValkeyCaller } from './calls/valkey-caller.js';
import {
  parseValkeyConfig,
  ttlAlarm,
  type ValkeyConfig,
  type ValkeySessionStoreOptions,
} from './config/valkey-config.js';
import type { ValkeyLink } from './connection/valkey-link.js';
import { SyncedServer } from './durability/synced-server.js';
import { linksTo, type ValkeyLinks } from './link-to.js';
import { resultOf } from './protocol/reply-error.js';
import { requestOf } from './protocol/valkey-request.js';
import type { ValkeyAsker } from './protocol/valkey-wire.js';
import { assertCompanionPrefix } from './provenance/companion-key.js';
import { addRecords, isSplit, type RecordCommands, renewedToo } from './provenance/record-commands.js';
import { StoreWatch } from './store-watch.js';

const CIRCUIT_CHANGES: Readonly<Record<SessionStoreCircuitChanged['state'], string>> = {
  open: 'Too many calls in a row found no connection to Valkey or got no reply in time. Calls are rejected until a probe succeeds.',
  half_open: 'One call is sent to Valkey as a probe.',
  closed: 'The probe was answered. Calls are sent to Valkey again.',
};

/** The probe behind each request is enough to prove a connection. */
const NOTHING = requestOf();

/**
 * Keeps labels in Valkey, in the layout of CPEX: the key is `<keyPrefix>:<sha256 hex of the session id>`, the value a
 * SET of labels. Opens its own connections at the first call. A load is one round trip. An append is one atomic union
 * in one round trip. A probe behind each request proves that the replies belong to it. With `durability` an append also
 * waits for the disk of the primary, for replicas, or for both.
 *
 * On each new connection the store checks whether the server is suitable, and raises the new warnings as alarms; see
 * {@link ValkeySessionStore.check}.
 *
 * Calls reject with an {@link AplSessionError}: `store.unavailable` (no connection), `store.login_failed`,
 * `store.tls_failed`, `store.certificate_*` (no connection, with the reason), `store.not_permitted` (ACL),
 * `store.timeout` (no reply in time), `store.command_failed` (an error reply), `store.malformed_reply`,
 * `store.too_many_labels`, `store.circuit_open`, `store.closed`; with `durability` also `store.not_synced`,
 * `store.not_replicated`. A call takes at most `deadlineMs`, including its
 * retry.
 *
 * @throws AplSessionError `config.invalid` at construction
 *
 * @example
 * const store = new ValkeySessionStore({ endpoint: 'rediss://valkey.internal:6379', ttlSeconds: 86_400 });
 * app.use(aplSessionMiddleware({ session, store }));
 */
export class ValkeySessionStore implements SessionStore {
  readonly deadlineMs: number;
  readonly maxLabelsPerSession: number;
  readonly ttlSeconds: number | undefined;
  readonly provenance: boolean;
  /** The name of this process in records; `undefined` without `provenance`. */
  readonly #node: string | undefined;
  readonly #config: ValkeyConfig;
  readonly #links: ValkeyLinks;
  readonly #caller: ValkeyCaller;
  /** Set with `durability.local`. */
  readonly #synced: SyncedServer | undefined;
  readonly #watch: StoreWatch;
  readonly #checks: SelfChecks;
  readonly #alarmListeners = new Set<AlarmListener>();
  readonly #reconnectListeners = new Set<() => void>();
  readonly #refreshes = new RefreshAlarms((alarm) => this.#raise(alarm));

  constructor(options: ValkeySessionStoreOptions) {
    this.#config = parseValkeyConfig(options);
    this.maxLabelsPerSession = this.#config.maxLabelsPerSession;
    this.ttlSeconds = this.#config.ttlSeconds;
    this.#node = nodeOf(this.#config.provenance);
    this.provenance = this.#node !== undefined;
    if (this.provenance) assertCompanionPrefix(this.#config.keyPrefix);
    const { durability } = this.#config;
    this.#synced = durability?.local === 'synced' ? new SyncedServer() : undefined;
    this.#watch = new StoreWatch(this.#config);
    this.#links = linksTo(this.#config, {
      onConnected: (wire, server, calls) => {
        this.#watch.changed(this.#links);
        for (const listener of this.#reconnectListeners) listener();
        this.#checks.onConnected(wire, server, calls);
      },
      onTrouble: (failure) => this.#watch.troubled(this.#links, failure),
    });
    this.#checks = new SelfChecks(this.#links.loads, durability, (alarm) => this.#raise(alarm));
    // a change of the circuit is not about the request whose call caused it
    const onCircuit = AsyncResource.bind((state: SessionStoreCircuitChanged['state']) => {
      this.#raise({ alarm: 'session_store_circuit_changed', state, error: CIRCUIT_CHANGES[state] });
    });
    this.#caller = new ValkeyCaller(this.#config, onCircuit, (failure) => this.#watch.failed(failure));
    this.deadlineMs = this.#caller.deadlineMs;
  }

  loadLabels(sessionId: string): Promise<string[]> {
    const key = this.#keyOf(sessionId);
    return this.#caller.call({ name: 'load', link: this.#links.loads, key, command: (wire) => this.#load(wire, key) });
  }

  async appendLabels(
    sessionId: string,
    labels: readonly string[],
    origins?: ReadonlyMap<string, LabelOrigin>,
  ): Promise<void> {
    if (labels.length === 0) return;
    const key = this.#keyOf(sessionId);
    // the caller may change its list while the call waits for a connection
    const copy = [...labels];
    assertLabelCount(new Set(copy).size, this.maxLabelsPerSession);
    const records = this.#recordsFor(key, copy, origins);
    const command = (wire: ValkeyAsker): Promise<void> => this.#append(wire, key, copy, records);
    await this.#caller.call({ name: 'append', link: this.#links.appends, key, command });
  }

  #recordsFor(
    key: string,
    labels: readonly string[],
    origins: ReadonlyMap<string, LabelOrigin> | undefined,
  ): RecordCommands | undefined {
    if (this.#node === undefined || !origins) return undefined;
    const records = recordsOf(labels, origins, this.#node);
    return records.size === 0 ? undefined : addRecords(key, records, this.#config.ttlSeconds);
  }

  /**
   * For operators: the labels of a session, each with its first origin; empty for an unknown session. Needs `provenance`. Rejects
   * like a load, and does not renew the TTL.
   *
   * @param sessionId the id in `req.security.sessionId`
   * @throws AplSessionError `config.invalid` without `provenance`; the errors of a load; `store.not_permitted` without the right
   * `+hgetall` on `~why:v1:*`
   *
   * @example
   * const { labels } = await store.explain('68755f41a98324d6');
   * for (const { label, firstAddedAt, route, by } of labels) console.log(label, firstAddedAt, route, by);
   */
  explain(sessionId: string): Promise<SessionExplanation> {
    if (this.#node === undefined) return Promise.reject(noProvenance('ValkeySessionStore'));
    const key = this.#keyOf(sessionId);
    const command = (wire: ValkeyAsker): Promise<SessionExplanation> =>
      explainSession(wire, key, this.maxLabelsPerSession);
    return this.#caller.call({ name: 'explain', link: this.#links.loads, key, command });
  }

  /**
   * Connects, logs in, and loads a key that does not exist, so that the first request finds a connection. In a cluster it
   * connects to every primary. With `durability` it also proves that appends can be confirmed. Rejects like a load or an
   * append, within `deadlineMs`, in a cluster within twice that time. May be called again.
   */
  async ready(): Promise<void> {
    const { loads, appends } = this.#links;
    const key = this.#keyOf('');
    const command = async (wire: ValkeyAsker): Promise<void> => {
      labelsIn(await wire.ask(loadCommand(key)), this.maxLabelsPerSession);
    };
    await Promise.all([this.#caller.call({ name: 'load', link: loads, key, command }), this.#connect(appends, key)]);
    await Promise.all([loads, appends].flatMap((link) => keysIn(link).map((each) => this.#connect(link, each))));
  }

  async close(): Promise<void> {
    this.#refreshes.settle();
    this.#links.loads.close();
    this.#links.appends.close();
    this.#watch.changed(this.#links);
  }

  /** Returns what the store knows about its connections, without any I/O. A server that hangs is noticed by `ping()`. */
  status(): StoreStatus {
    return this.#watch.status(this.#links, { circuit: this.#caller.circuit, findings: this.#checks.findings });
  }

  /**
   * Loads a key that does not exist, in a cluster from each primary; with `durability` it also proves that appends can be
   * confirmed. Resolves with the time of the slowest answer, in milliseconds; rejects like a load or an append, within
   * `deadlineMs`. It is not retried, raises no alarm, and neither opens the circuit nor closes it.
   */
  async ping(): Promise<number> {
    const { loads, appends } = this.#links;
    const confirm = (wire: ValkeyAsker): Promise<void> => this.#confirm(wire);
    const confirmed = this.#config.durability ? [ping(appends, this.#config, confirm)] : [];
    return Math.max(...(await Promise.all([ping(loads, this.#config), ...confirmed])));
  }

  /**
   * Checks whether Valkey is suitable: eviction, durability, role, version. In a cluster it checks every primary, and
   * returns the worst finding of each kind. A warning that was not raised before is also an alarm; with `repeatAlarms` every
   * warning is. Rejects with `store.unavailable`, `store.timeout` or `store.closed` if Valkey does not answer.
   */
  check(options: StoreCheckOptions = {}): Promise<readonly StoreFinding[]> {
    return this.#checks.run(this.#caller, options);
  }

  /** Calls the listener for each new connection, the first one too. */
  onReconnect(listener: () => void): void {
    this.#reconnectListeners.add(listener);
  }

  onAlarm(listener: AlarmListener): void {
    this.#alarmListeners.add(listener);
    const unsound = ttlAlarm(this.#config);
    if (unsound) notify(unsound, [listener]);
  }

  async #load(wire: ValkeyAsker, key: string): Promise<string[]> {
    const startedMs = now();
    const { ttlSeconds } = this.#config;
    const stillPrimary = wire.stillPrimary();
    // it may reject before the labels arrive, when it is not awaited yet
    stillPrimary?.catch(() => {});
    const reading = wire.ask(loadCommand(key));
    const refresh = ttlSeconds === undefined ? undefined : this.#refresh(wire, key, ttlSeconds);
    const labels = labelsIn(await reading, this.maxLabelsPerSession);
    if (stillPrimary) await stillPrimary;
    this.#watch.answered(startedMs);
    refresh?.onRead(labels);
    return labels;
  }

  #refresh(wire: ValkeyAsker, key: string, ttlSeconds: number): TtlRefresh {
    const ttl = ttlCommand(key, ttlSeconds);
    const request = this.provenance ? renewedToo(ttl, key, ttlSeconds) : ttl;
    const reply = wire.askUnproven(request).then(([count]) => resultOf(count));
    const refresh = new TtlRefresh(reply, this.#refreshes);
    this.#caller.watch(refresh, wire);
    return refresh;
  }

  async #append(wire: ValkeyAsker, key: string, labels: readonly string[], records?: RecordCommands): Promise<void> {
    try {
      await this.#appendOnce(wire, key, labels, records);
    } catch (error) {
      if (!records || !isSplit(error)) throw error;
      // do not follow the redirect: it may be that of the records, and the labels of the session are still here
      await this.#appendOnce(wire, key, labels);
    }
  }

  async #appendOnce(
    wire: ValkeyAsker,
    key: string,
    labels: readonly string[],
    records?: RecordCommands,
  ): Promise<void> {
    const startedMs = now();
    const appending = wire.ask(appendCommand(key, labels, this.#config.ttlSeconds, records));
    const synced = this.#synced?.assertSynced(wire);
    // it may reject before the append is answered, when it is not awaited yet
    synced?.catch(() => {});
    assertAppended(await appending, records);
    await synced;
    this.#watch.answered(startedMs);
  }

  /** Connects to the server of a key, and proves that appends can be confirmed there. */
  #connect(link: ValkeyLink, key: string): Promise<void> {
    const isPlain = link !== this.#links.appends;
    const command = (wire: ValkeyAsker) => (isPlain ? wire.ask(NOTHING).then(() => {}) : this.#confirm(wire));
    return this.#caller.call({ name: 'connection', link, key, command });
  }

  /** Proves that the server can confirm an append now. */
  async #confirm(wire: ValkeyAsker): Promise<void> {
    await wire.ask(NOTHING);
    await this.#synced?.assertSynced(wire);
  }

  #raise(alarm: Alarm): void {
    notify(Object.freeze(alarm), this.#alarmListeners);
  }

  #keyOf(sessionId: string): string {
    return `${this.#config.keyPrefix}:${sha256Hex(sessionId)}`;
  }
}

/** A key of each primary; only a cluster has several. */
function keysIn(link: ValkeyLink): readonly string[] {
  return link.keyOfEachPrimary?.() ?? [];
}

function notify(alarm: Alarm, listeners: Iterable<AlarmListener>): void {
  for (const listener of listeners) {
    try {
      listener(alarm);
    } catch {
      // a listener that throws must not change the result of a request
    }
  }
}

/**
 * For `store: { kind: 'valkey', ... }`. The options are those of {@link ValkeySessionStore}.
 *
 * @example
 * app.use(aplSessionMiddleware({
 *   session,
 *   store: { kind: 'valkey', endpoint: 'localhost:6379', ttlSeconds: 86_400 },
 *   storeFactories: [valkeySessionStoreFactory],
 * }));
 */
export const valkeySessionStoreFactory: SessionStoreFactory = Object.freeze({
  kind: 'valkey',
  build: ({ kind: _kind, ...options }: Readonly<Record<string, unknown>>) =>
    new ValkeySessionStore(options as unknown as ValkeySessionStoreOptions),
});
