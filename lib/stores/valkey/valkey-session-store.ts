import type { Alarm, AlarmListener, SessionStoreCircuitChanged } from '../../contract/alarms.js';
import type { SessionStore, SessionStoreFactory, StoreFinding } from '../../contract/session-store.js';
import { assertLabelCount } from '../../labels/label-limit.js';
import { sha256Hex } from '../../session/digest.js';
import { type RefreshListener, TtlRefresh } from './calls/ttl-refresh.js';
import { ValkeyCaller } from './calls/valkey-caller.js';
import { membersOf } from './calls/valkey-replies.js';
import { checkServer, type SelfCheckAlarm } from './calls/valkey-self-check.js';
import {
  parseValkeyConfig,
  ttlAlarm,
  type ValkeyConfig,
  type ValkeySessionStoreOptions,
} from './config/valkey-config.js';
import type { ValkeyLink } from './connection/valkey-link.js';
import { linkTo } from './link-to.js';
import { assertExecuted, resultOf } from './protocol/reply-error.js';
import { toStoreError } from './protocol/store-error.js';
import { appendRequest, expireRequest, loadRequest } from './protocol/valkey-request.js';
import type { ValkeyAsker } from './protocol/valkey-wire.js';

const CIRCUIT_CHANGES: Readonly<Record<SessionStoreCircuitChanged['state'], string>> = {
  open: 'Valkey could not be reached, or did not answer in time, too often in a row; calls are refused.',
  half_open: 'One call goes to Valkey as a probe.',
  closed: 'The probe was answered; calls go to Valkey again.',
};

/**
 * Keeps labels in Valkey, laid out as CPEX does: key `<keyPrefix>:<sha256 hex of the session id>`, value a SET of labels.
 * Connects at the first call, on connections of its own. A load is one round trip; an append is one atomic
 * union in one round trip. A reply counts only once a probe behind it was answered, which proves that it belongs here.
 *
 * Each connection asks once whether the server is fit to keep labels, and raises what is new since the one before; see
 * {@link ValkeySessionStore.check}.
 *
 * Calls reject with an {@link AplSessionError}: `store.unavailable` (no connection), `store.login_failed`,
 * `store.tls_failed`, `store.certificate_*` (no connection, and why), `store.not_permitted` (the ACL), `store.timeout`
 * (no reply in time), `store.command_failed` (refused, wrong type), `store.malformed_reply` (undecodable),
 * `store.too_many_labels`, `store.circuit_open`, `store.closed`. None takes longer than `deadlineMs`, its retry included.
 *
 * @throws AplSessionError `config.invalid` at construction
 */
export class ValkeySessionStore implements SessionStore {
  readonly deadlineMs: number;
  readonly maxLabelsPerSession: number;
  readonly ttlSeconds: number | undefined;
  readonly #config: ValkeyConfig;
  readonly #link: ValkeyLink;
  readonly #caller: ValkeyCaller;
  /** The warnings of the last self-check of each server, in words. */
  readonly #warnings = new Map<string, readonly string[]>();
  readonly #alarmListeners = new Set<AlarmListener>();
  readonly #refreshes: RefreshListener = {
    onKeyGone: () => this.#raiseRefreshFailure('The key was gone when its TTL was to be refreshed.'),
    onRefreshFailed: (error) => {
      this.#raiseRefreshFailure(toStoreError('TTL refresh', error).message);
    },
  };

  constructor(options: ValkeySessionStoreOptions) {
    this.#config = parseValkeyConfig(options);
    this.maxLabelsPerSession = this.#config.maxLabelsPerSession;
    this.ttlSeconds = this.#config.ttlSeconds;
    this.#link = linkTo(this.#config, (wire, server) => {
      // nobody waits for this one; what it could not ask is of no consequence
      checkServer(wire).then(
        ({ alarms }) => this.#raiseNews(alarms, server),
        () => {},
      );
    });
    this.#caller = new ValkeyCaller(this.#link, this.#config, (state) => {
      this.#raise({ alarm: 'session_store_circuit_changed', state, error: CIRCUIT_CHANGES[state] });
    });
    this.deadlineMs = this.#caller.deadlineMs;
  }

  loadLabels(sessionId: string): Promise<string[]> {
    const key = this.#keyOf(sessionId);
    return this.#caller.call({ name: 'load', key, command: (wire) => this.#load(wire, key) });
  }

  async appendLabels(sessionId: string, labels: readonly string[]): Promise<void> {
    if (labels.length === 0) return;
    const key = this.#keyOf(sessionId);
    // the call may wait for a connection, and the list is the caller's
    const copy = [...labels];
    assertLabelCount(new Set(copy).size, this.maxLabelsPerSession);
    await this.#caller.call({ name: 'append', key, command: (wire) => this.#append(wire, key, copy) });
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  /**
   * Asks Valkey whether it is fit to keep labels: eviction, durability, role, version. Every warning is also an alarm.
   * Rejects with `store.unavailable`, `store.timeout` or `store.closed` if it cannot be asked.
   */
  async check(): Promise<readonly StoreFinding[]> {
    const { findings, alarms } = await this.#caller.call({ name: 'check', command: checkServer });
    this.#remember('', alarms);
    for (const alarm of alarms) this.#raise(alarm);
    return findings;
  }

  onAlarm(listener: AlarmListener): void {
    this.#alarmListeners.add(listener);
    const unsound = ttlAlarm(this.#config);
    if (unsound) notify(unsound, [listener]);
  }

  async #load(wire: ValkeyAsker, key: string): Promise<string[]> {
    const { ttlSeconds } = this.#config;
    const stillPrimary = wire.stillPrimary();
    // it may reject before the members are there
    stillPrimary?.catch(() => {});
    const reading = wire.ask(loadRequest(key));
    const refresh = ttlSeconds === undefined ? undefined : this.#refresh(wire, key, ttlSeconds);
    const [reply] = await reading;
    const labels = membersOf(resultOf(reply), this.maxLabelsPerSession);
    if (stillPrimary) await stillPrimary;
    refresh?.onRead(labels);
    return labels;
  }

  #refresh(wire: ValkeyAsker, key: string, ttlSeconds: number): TtlRefresh {
    const reply = wire.askUnproven(expireRequest(key, ttlSeconds)).then(([count]) => resultOf(count));
    const refresh = new TtlRefresh(reply, this.#refreshes);
    this.#caller.watch(refresh, wire);
    return refresh;
  }

  async #append(wire: ValkeyAsker, key: string, labels: readonly string[]): Promise<void> {
    const { ttlSeconds } = this.#config;
    const replies = await wire.ask(appendRequest(key, labels, ttlSeconds));
    if (ttlSeconds === undefined) resultOf(replies[0]);
    else assertExecuted(replies);
  }

  /** A connection stays quiet about what the one before it, or another server of a cluster, has found too. */
  #raiseNews(alarms: readonly SelfCheckAlarm[], server: string): void {
    const known = new Set([...this.#warnings.values()].flat());
    this.#remember(server, alarms);
    for (const alarm of alarms) if (!known.has(alarm.error)) this.#raise(alarm);
  }

  #remember(server: string, alarms: readonly SelfCheckAlarm[]): void {
    this.#warnings.set(
      server,
      alarms.map(({ error }) => error),
    );
  }

  #raiseRefreshFailure(error: string): void {
    this.#raise({ alarm: 'session_store_ttl_refresh_failed', error });
  }

  #raise(alarm: Alarm): void {
    notify(Object.freeze(alarm), this.#alarmListeners);
  }

  #keyOf(sessionId: string): string {
    return `${this.#config.keyPrefix}:${sha256Hex(sessionId)}`;
  }
}

function notify(alarm: Alarm, listeners: Iterable<AlarmListener>): void {
  for (const listener of listeners) {
    try {
      listener(alarm);
    } catch {
      // an alarm that cannot be delivered must not decide about a request
    }
  }
}

/** `store: { kind: 'valkey', endpoint, ... }`; the options are those of {@link ValkeySessionStore}. */
export const valkeySessionStoreFactory: SessionStoreFactory = Object.freeze({
  kind: 'valkey',
  build: ({ kind: _kind, ...options }: Readonly<Record<string, unknown>>) =>
    new ValkeySessionStore(options as unknown as ValkeySessionStoreOptions),
});
