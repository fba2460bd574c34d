import type { Alarm, AlarmListener, SessionStoreCircuitChanged } from '../../contract/alarms.js';
import type { SessionStore, SessionStoreFactory, StoreFinding } from '../../contract/session-store.js';
import { assertLabelCount } from '../../labels/label-limit.js';
import { sha256Hex } from '../../session/digest.js';
import { type RefreshListener, TtlRefresh } from './ttl-refresh.js';
import { ValkeyCaller } from './valkey-caller.js';
import type { ValkeyClient } from './valkey-client.js';
import { parseValkeyConfig, ttlAlarm, type ValkeyConfig, type ValkeySessionStoreOptions } from './valkey-config.js';
import { linkTo } from './valkey-connection.js';
import { isDemotion, toStoreError } from './valkey-faults.js';
import type { ValkeyLink } from './valkey-link.js';
import { countOf, membersOf, pairOf, resultOf } from './valkey-replies.js';
import { checkServer } from './valkey-self-check.js';

const CIRCUIT_CHANGES: Readonly<Record<SessionStoreCircuitChanged['state'], string>> = {
  open: 'Valkey could not be reached, or did not answer in time, too often in a row; calls are refused.',
  half_open: 'One call goes to Valkey as a probe.',
  closed: 'The probe was answered; calls go to Valkey again.',
};

/**
 * Keeps labels in Valkey, laid out as CPEX does: key `<keyPrefix>:<sha256 hex of the session id>`, value a SET of labels.
 * Connects at the first call. A load is one round trip; an append is one atomic union in one round trip.
 *
 * The first connection asks once whether the server is fit to keep labels; see {@link ValkeySessionStore.check}.
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
  readonly #connection: ValkeyLink;
  readonly #caller: ValkeyCaller;
  readonly #alarmListeners = new Set<AlarmListener>();
  readonly #refreshes: RefreshListener = {
    onKeyGone: () => this.#raiseRefreshFailure('The key was gone when its TTL was to be refreshed.'),
    onRefreshFailed: (error) => {
      if (isDemotion(error)) this.#connection.reset();
      this.#raiseRefreshFailure(toStoreError('TTL refresh', error).message);
    },
  };

  constructor(options: ValkeySessionStoreOptions) {
    this.#config = parseValkeyConfig(options);
    this.maxLabelsPerSession = this.#config.maxLabelsPerSession;
    this.ttlSeconds = this.#config.ttlSeconds;
    this.#connection = linkTo(this.#config, (client) => {
      // nobody waits for this one; what it could not ask is of no consequence
      this.#check(client).catch(() => {});
    });
    this.#caller = new ValkeyCaller(this.#connection, this.#config, (state) => {
      this.#raise({ alarm: 'session_store_circuit_changed', state, error: CIRCUIT_CHANGES[state] });
    });
    this.deadlineMs = this.#caller.deadlineMs;
  }

  loadLabels(sessionId: string): Promise<string[]> {
    const key = this.#keyOf(sessionId);
    return this.#caller.call('load', (client) => this.#load(client, key));
  }

  async appendLabels(sessionId: string, labels: readonly string[]): Promise<void> {
    if (labels.length === 0) return;
    const key = this.#keyOf(sessionId);
    // the call may wait for a connection, and the list is the caller's
    const copy = [...labels];
    assertLabelCount(new Set(copy).size, this.maxLabelsPerSession);
    await this.#caller.call('append', (client) => this.#append(client, key, copy));
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /**
   * Asks Valkey whether it is fit to keep labels: eviction, durability, role, version. Every warning is also an alarm.
   * Rejects with `store.unavailable`, `store.timeout` or `store.closed` if it cannot be asked.
   */
  check(): Promise<readonly StoreFinding[]> {
    return this.#caller.call('check', (client) => this.#check(client));
  }

  async #check(client: ValkeyClient): Promise<readonly StoreFinding[]> {
    const { findings, alarms } = await checkServer(client);
    for (const alarm of alarms) this.#raise(alarm);
    return findings;
  }

  onAlarm(listener: AlarmListener): void {
    this.#alarmListeners.add(listener);
    const unsound = ttlAlarm(this.#config);
    if (unsound) notify(unsound, [listener]);
  }

  #load(client: ValkeyClient, key: string): Promise<string[]> {
    const { ttlSeconds } = this.#config;
    const stillPrimary = this.#connection.stillPrimary();
    const members = client.smembers(key).then((reply) => membersOf(reply, this.maxLabelsPerSession));
    const reading = stillPrimary ? Promise.all([members, stillPrimary]).then(([labels]) => labels) : members;
    if (ttlSeconds === undefined) return reading;
    const refresh = new TtlRefresh(client.expire(key, ttlSeconds), this.#refreshes);
    this.#caller.watch(refresh);
    return reading.then((labels) => {
      refresh.onRead(labels);
      return labels;
    });
  }

  async #append(client: ValkeyClient, key: string, labels: readonly string[]): Promise<void> {
    const { ttlSeconds } = this.#config;
    if (ttlSeconds === undefined) {
      countOf('SADD', await client.sadd(key, ...labels));
      return;
    }
    const replies = await this.#connection.appendWithTtl(client, { key, labels, ttlSeconds });
    const { first, second } = pairOf('SADD + EXPIRE', replies);
    countOf('SADD', resultOf(first));
    countOf('EXPIRE', resultOf(second));
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
