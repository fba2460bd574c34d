import type { Redis } from 'ioredis';
import type { AlarmListener } from '../../contract/alarms.js';
import { withDeadline } from '../../contract/deadline.js';
import { AplSessionError } from '../../contract/errors.js';
import type { SessionStore, SessionStoreFactory } from '../../contract/session-store.js';
import { sha256Hex } from '../../session/digest.js';
import { parseValkeyConfig, type ValkeyConfig, type ValkeySessionStoreOptions } from './valkey-config.js';
import { ValkeyConnection } from './valkey-connection.js';
import { countOf, membersOf, pairOf, resultOf, toStoreError } from './valkey-replies.js';

/**
 * Keeps labels in Valkey, laid out as CPEX does: key `<keyPrefix>:<sha256 hex of the session id>`, value a SET of labels.
 * Connects at the first call. A load is one round trip; an append is one atomic union in one round trip.
 *
 * Calls reject with an {@link AplSessionError}: `store.unavailable` (no connection), `store.timeout` (no reply in time),
 * `store.command_failed` (refused, wrong type), `store.malformed_reply` (undecodable), `store.closed`.
 *
 * @throws AplSessionError `config.invalid` at construction
 */
export class ValkeySessionStore implements SessionStore {
  readonly deadlineMs: number;
  readonly #config: ValkeyConfig;
  readonly #connection: ValkeyConnection;
  readonly #alarmListeners = new Set<AlarmListener>();

  constructor(options: ValkeySessionStoreOptions) {
    this.#config = parseValkeyConfig(options);
    this.#connection = new ValkeyConnection(this.#config);
    this.deadlineMs = this.#config.connectTimeoutMs + this.#config.commandTimeoutMs;
  }

  loadLabels(sessionId: string): Promise<string[]> {
    const key = this.#keyOf(sessionId);
    return this.#call('load', (client) => this.#load(client, key));
  }

  async appendLabels(sessionId: string, labels: readonly string[]): Promise<void> {
    if (labels.length === 0) return;
    const key = this.#keyOf(sessionId);
    // the call may wait for a connection, and the list is the caller's
    const copy = [...labels];
    await this.#call('append', (client) => this.#append(client, key, copy));
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  onAlarm(listener: AlarmListener): void {
    this.#alarmListeners.add(listener);
  }

  #load(client: Redis, key: string): Promise<string[]> {
    const { ttlSeconds } = this.#config;
    const reading = client.smembers(key).then(membersOf);
    if (ttlSeconds === undefined) return reading;
    const refreshing = client.expire(key, ttlSeconds);
    refreshing.catch(() => {});
    return reading.then((labels) => {
      void this.#watchRefresh(labels, refreshing);
      return labels;
    });
  }

  async #append(client: Redis, key: string, labels: readonly string[]): Promise<void> {
    const { ttlSeconds } = this.#config;
    if (ttlSeconds === undefined) {
      countOf('SADD', await client.sadd(key, ...labels));
      return;
    }
    const replies = await client
      .multi()
      .sadd(key, ...labels)
      .expire(key, ttlSeconds)
      .exec();
    const { first, second } = pairOf('SADD + EXPIRE', replies);
    countOf('SADD', resultOf(first));
    countOf('EXPIRE', resultOf(second));
  }

  /** The labels were read, so they count; that they may expire too early is worth an alarm. */
  async #watchRefresh(labels: readonly string[], refreshing: Promise<unknown>): Promise<void> {
    try {
      const refreshed = countOf('EXPIRE', await this.#withCommandDeadline('TTL refresh', () => refreshing));
      if (refreshed === 0 && labels.length > 0) this.#raise('The key was gone when its TTL was to be refreshed.');
    } catch (error) {
      this.#raise(toStoreError('TTL refresh', error).message);
    }
  }

  #raise(error: string): void {
    const alarm = Object.freeze({ alarm: 'session_store_ttl_refresh_failed', error } as const);
    for (const listener of this.#alarmListeners) {
      try {
        listener(alarm);
      } catch {
        // an alarm that cannot be delivered must not decide about a request
      }
    }
  }

  async #call<T>(operation: string, command: (client: Redis) => Promise<T>): Promise<T> {
    const client = this.#connection.readyNow() ?? (await this.#connection.ready());
    try {
      return await this.#withCommandDeadline(operation, () => command(client));
    } catch (error) {
      throw toStoreError(operation, error);
    }
  }

  #withCommandDeadline<T>(operation: string, command: () => Promise<T>): Promise<T> {
    const { commandTimeoutMs } = this.#config;
    return withDeadline(command, commandTimeoutMs, () => {
      this.#connection.reset();
      return new AplSessionError(
        'store.timeout',
        `Valkey did not answer the ${operation} within ${commandTimeoutMs} ms.`,
      );
    });
  }

  #keyOf(sessionId: string): string {
    return `${this.#config.keyPrefix}:${sha256Hex(sessionId)}`;
  }
}

/** `store: { kind: 'valkey', endpoint, ... }`; the options are those of {@link ValkeySessionStore}. */
export const valkeySessionStoreFactory: SessionStoreFactory = Object.freeze({
  kind: 'valkey',
  build: ({ kind: _kind, ...options }: Readonly<Record<string, unknown>>) =>
    new ValkeySessionStore(options as unknown as ValkeySessionStoreOptions),
});
