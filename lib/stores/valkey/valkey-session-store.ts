import { AsyncResource } from 'node:async_hooks';
import { ignoringErrors } from '../../alarms/ignoring-errors.js';
import type { AlarmListener, SessionStoreCircuitChanged } from '../../contract/alarms.js';
import type { LabelOrigin, SessionExplanation } from '../../contract/provenance.js';
import type { SessionStore, SessionStoreFactory, StoreCheckOptions } from '../../contract/session-store.js';
import type { StoreFinding, StoreStatus } from '../../contract/store-status.js';
import { nodeOf, noProvenance } from '../../provenance/provenance-option.js';
import { AlarmListeners } from './alarm-listeners.js';
import { parseCheckOptions } from './calls/check-options.js';
import { RefreshAlarms } from './calls/refresh-alarms.js';
import { SelfChecks } from './calls/self-checks.js';
import { ValkeyCaller } from './calls/valkey-caller.js';
import {
  parseValkeyConfig,
  ttlAlarm,
  type ValkeyConfig,
  type ValkeySessionStoreOptions,
} from './config/valkey-config.js';
import { SyncedServer } from './durability/synced-server.js';
import { LabelCalls } from './label-calls.js';
import { linksTo, type ValkeyLinks } from './link-to.js';
import { assertCompanionPrefix } from './provenance/companion-key.js';
import { Readiness } from './readiness.js';
import { StoreWatch } from './store-watch.js';

const CIRCUIT_CHANGES: Readonly<Record<SessionStoreCircuitChanged['state'], string>> = {
  open: 'Too many calls in a row found no connection to Valkey or got no reply in time. Calls are rejected until a probe succeeds.',
  half_open: 'One call is sent to Valkey as a probe.',
  closed: 'The probe was answered. Calls are sent to Valkey again.',
};

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
  readonly #config: ValkeyConfig;
  readonly #links: ValkeyLinks;
  readonly #caller: ValkeyCaller;
  readonly #labels: LabelCalls;
  readonly #readiness: Readiness;
  readonly #watch: StoreWatch;
  readonly #checks: SelfChecks;
  readonly #alarms = new AlarmListeners();
  readonly #refreshes = new RefreshAlarms((alarm) => this.#alarms.raise(alarm));
  readonly #reconnectListeners = new Set<() => void>();

  constructor(options: ValkeySessionStoreOptions) {
    const config = parseValkeyConfig(options);
    this.#config = config;
    this.maxLabelsPerSession = config.maxLabelsPerSession;
    this.ttlSeconds = config.ttlSeconds;
    const node = nodeOf(config.provenance);
    this.provenance = node !== undefined;
    if (this.provenance) assertCompanionPrefix(config.keyPrefix);
    this.#watch = new StoreWatch(config);
    const links = linksTo(config, {
      onConnected: (wire, server, calls) => {
        this.#watch.changed(links);
        for (const listener of this.#reconnectListeners) listener();
        this.#checks.onConnected(wire, server, calls);
      },
      onTrouble: (failure) => this.#watch.troubled(links, failure),
    });
    this.#links = links;
    this.#checks = new SelfChecks(links.loads, config.durability, (alarm) => this.#alarms.raise(alarm));
    // a change of the circuit is not about the request whose call caused it
    const onCircuit = AsyncResource.bind((state: SessionStoreCircuitChanged['state']) => {
      this.#alarms.raise({ alarm: 'session_store_circuit_changed', state, error: CIRCUIT_CHANGES[state] });
    });
    const caller = new ValkeyCaller(config, onCircuit, (failure, call) => this.#watch.failed(failure, call));
    this.#caller = caller;
    this.deadlineMs = caller.deadlineMs;
    const synced = config.durability?.local === 'synced' ? new SyncedServer() : undefined;
    this.#labels = new LabelCalls({
      config,
      links,
      caller,
      synced,
      node,
      refreshes: this.#refreshes,
      onAnswered: (call, startedMs) => this.#watch.answered(call, startedMs),
    });
    this.#readiness = new Readiness({ config, links, caller, synced });
  }

  loadLabels(sessionId: string): Promise<string[]> {
    return this.#labels.load(sessionId);
  }

  appendLabels(
    sessionId: string,
    labels: readonly string[],
    origins?: ReadonlyMap<string, LabelOrigin>,
  ): Promise<void> {
    return this.#labels.append(sessionId, labels, origins);
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
    return this.provenance ? this.#labels.explain(sessionId) : Promise.reject(noProvenance('ValkeySessionStore'));
  }

  /**
   * Connects, logs in, and loads a key that does not exist, so that the first request finds a connection. In a cluster it
   * connects to every primary. With `durability` it also proves that appends can be confirmed. Rejects like a load or an
   * append, within `deadlineMs`, in a cluster within twice that time. May be called again.
   */
  ready(): Promise<void> {
    return this.#readiness.ready();
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
  ping(): Promise<number> {
    return this.#readiness.ping();
  }

  /**
   * Checks whether Valkey is suitable: eviction, durability, role, version. In a cluster it checks every primary, and
   * returns the worst finding of each kind. A warning that was not raised before is also an alarm; with `repeatAlarms` every
   * warning is. Rejects with `store.unavailable`, `store.timeout` or `store.closed` if Valkey does not answer, and with
   * `config.invalid` for unknown options.
   */
  async check(options: StoreCheckOptions = {}): Promise<readonly StoreFinding[]> {
    return this.#checks.run(this.#caller, parseCheckOptions(options));
  }

  /** Calls the listener for each new connection, the first one too. */
  onReconnect(listener: () => void): void {
    this.#reconnectListeners.add(listener);
  }

  onAlarm(listener: AlarmListener): void {
    this.#alarms.add(listener);
    const unsound = ttlAlarm(this.#config);
    if (unsound) ignoringErrors(() => listener(unsound));
  }
}

/**
 * For `store: { kind: 'valkey', ... }`. It has the options of {@link ValkeySessionStore}.
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
