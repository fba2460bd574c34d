import Joi from 'joi';
import { AplSessionError } from '../contract/errors.js';
import type { LabelOrigin, SessionExplanation } from '../contract/provenance.js';
import type { SessionStore, SessionStoreFactory } from '../contract/session-store.js';
import type { StoreStatus } from '../contract/store-status.js';
import { assertLabelCount, DEFAULT_MAX_LABELS_PER_SESSION } from '../labels/label-limit.js';
import { parseOptions } from '../options/parse-options.js';
import { explainLabels } from '../provenance/explain-labels.js';
import { type LabelRecord, recordOf } from '../provenance/label-record.js';
import { nodeOf, noProvenance, type ProvenanceOption, provenanceSchema } from '../provenance/provenance-option.js';
import { clearInterval, isoTime, now, setInterval } from '../util/clock.js';

export interface MemorySessionStoreOptions {
  /**
   * How many sessions the store may hold. An append for one more rejects with `store.full`; the store never evicts.
   * @default 100000
   */
  readonly maxSessions?: number;

  /**
   * The store deletes a session this many seconds after its last load or append.
   * @default sessions never expire
   */
  readonly ttlSeconds?: number;

  /**
   * How many labels a session may have. An append of more rejects with `store.too_many_labels`.
   * @default 1000
   */
  readonly maxLabelsPerSession?: number;

  /**
   * Keeps the first origin of each label for `explain()`: when it was added, on which route, by which guard, on which node, with
   * which request id.
   * @default false
   */
  readonly provenance?: ProvenanceOption;
}

interface Entry {
  /** The labels, each with its first record if it has one. */
  readonly labels: Map<string, LabelRecord | undefined>;
  expiresAtMs: number;
}

const SWEEP_INTERVAL_MS = 30_000;

type Defaults = Required<Pick<MemorySessionStoreOptions, 'maxSessions' | 'maxLabelsPerSession' | 'provenance'>>;

const schema = Joi.object<Defaults & MemorySessionStoreOptions>({
  maxSessions: Joi.number().integer().min(1).default(100_000),
  ttlSeconds: Joi.number().integer().min(1).max(2_147_483_647),
  maxLabelsPerSession: Joi.number().integer().min(1).default(DEFAULT_MAX_LABELS_PER_SESSION),
  provenance: provenanceSchema.default(false),
});

/**
 * Keeps labels in the memory of this process: for development, tests, and apps of one process that may lose labels on
 * restart. Labels are copied in and out, as with a remote store. Emits a process warning if `NODE_ENV` is `production`.
 *
 * @throws AplSessionError `config.invalid` at construction; calls reject with `store.full`, `store.too_many_labels` or
 * `store.closed`
 *
 * @example
 * const store = new MemorySessionStore({ ttlSeconds: 3_600 });
 * app.use(aplSessionMiddleware({ session, store }));
 */
export class MemorySessionStore implements SessionStore {
  readonly maxLabelsPerSession: number;
  readonly ttlSeconds: number | undefined;
  readonly provenance: boolean;
  /** The name of this process in records; `undefined` without `provenance`. */
  readonly #node: string | undefined;
  /** Sessions by id, least recently used first, so that expired sessions come first. */
  readonly #sessions = new Map<string, Entry>();
  readonly #maxSessions: number;
  readonly #ttlMs: number;
  readonly #sweeper: NodeJS.Timeout | undefined;
  /** No session expires before this time. */
  #nextExpiryMs = 0;
  #closed = false;
  #since = isoTime();

  constructor(options: MemorySessionStoreOptions = {}) {
    const parsed = parseOptions('MemorySessionStore', schema, options);
    const { maxSessions, ttlSeconds, maxLabelsPerSession, provenance } = parsed;
    this.#node = nodeOf(provenance);
    this.provenance = this.#node !== undefined;
    this.maxLabelsPerSession = maxLabelsPerSession;
    this.ttlSeconds = ttlSeconds;
    this.#maxSessions = maxSessions;
    this.#ttlMs = ttlSeconds === undefined ? Number.POSITIVE_INFINITY : ttlSeconds * 1000;
    if (ttlSeconds !== undefined) {
      this.#sweeper = setInterval(() => this.#sweep(), Math.min(this.#ttlMs, SWEEP_INTERVAL_MS)).unref();
    }
    warnInProduction();
  }

  /** The number of sessions in the store. */
  get size(): number {
    return this.#sessions.size;
  }

  async loadLabels(sessionId: string): Promise<string[]> {
    this.#assertOpen();
    const entry = this.#touch(sessionId);
    return entry ? [...entry.labels.keys()] : [];
  }

  async appendLabels(
    sessionId: string,
    labels: readonly string[],
    origins?: ReadonlyMap<string, LabelOrigin>,
  ): Promise<void> {
    this.#assertOpen();
    if (labels.length === 0) return;
    const entry = this.#touch(sessionId);
    const fresh = new Set(entry ? labels.filter((label) => !entry.labels.has(label)) : labels);
    assertLabelCount((entry?.labels.size ?? 0) + fresh.size, this.maxLabelsPerSession);
    const { labels: stored } = entry ?? this.#create(sessionId);
    for (const label of fresh) stored.set(label, undefined);
    if (!origins || this.#node === undefined) return;
    for (const label of labels) {
      const origin = origins.get(label);
      if (origin && !stored.get(label)) stored.set(label, recordOf(origin, this.#node));
    }
  }

  /**
   * For operators: the labels of a session, each with its first origin; empty for an unknown session. Needs `provenance`. Does not
   * renew the TTL.
   *
   * @param sessionId the id in `req.security.sessionId`
   * @throws AplSessionError `config.invalid` without `provenance`; `store.closed`
   *
   * @example
   * const { labels } = await store.explain('68755f41a98324d6');
   * for (const { label, firstAddedAt, route, by } of labels) console.log(label, firstAddedAt, route, by);
   */
  async explain(sessionId: string): Promise<SessionExplanation> {
    this.#assertOpen();
    if (!this.provenance) throw noProvenance('MemorySessionStore');
    const entry = this.#sessions.get(sessionId);
    const labels = !entry || entry.expiresAtMs <= now() ? new Map<string, undefined>() : entry.labels;
    return explainLabels([...labels.keys()], labels);
  }

  /** The store is connected until it is closed. */
  status(): StoreStatus {
    return Object.freeze({ connected: !this.#closed, since: this.#since, topology: 'memory' });
  }

  /** Resolves with 0, or rejects with `store.closed`. */
  async ping(): Promise<number> {
    this.#assertOpen();
    return 0;
  }

  async close(): Promise<void> {
    if (!this.#closed) this.#since = isoTime();
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#sessions.clear();
  }

  /** Returns a session that has not expired, and makes it the most recently used. */
  #touch(sessionId: string): Entry | undefined {
    const entry = this.#sessions.get(sessionId);
    if (!entry || this.#ttlMs === Number.POSITIVE_INFINITY) return entry;
    this.#sessions.delete(sessionId);
    const nowMs = now();
    if (entry.expiresAtMs <= nowMs) return undefined;
    entry.expiresAtMs = nowMs + this.#ttlMs;
    this.#sessions.set(sessionId, entry);
    return entry;
  }

  #create(sessionId: string): Entry {
    if (this.#sessions.size >= this.#maxSessions) this.#sweep();
    if (this.#sessions.size >= this.#maxSessions) {
      throw new AplSessionError(
        'store.full',
        `MemorySessionStore is full: it holds ${this.#maxSessions} sessions. Raise maxSessions, set ttlSeconds, or use ValkeySessionStore.`,
      );
    }
    const entry: Entry = { labels: new Map(), expiresAtMs: now() + this.#ttlMs };
    this.#sessions.set(sessionId, entry);
    return entry;
  }

  #sweep(): void {
    const nowMs = now();
    // while the store is full, each new session comes here: do not pass over all deleted entries of the Map again
    if (nowMs < this.#nextExpiryMs) return;
    this.#nextExpiryMs = 0;
    for (const [sessionId, entry] of this.#sessions) {
      if (entry.expiresAtMs > nowMs) {
        this.#nextExpiryMs = entry.expiresAtMs;
        return;
      }
      this.#sessions.delete(sessionId);
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new AplSessionError('store.closed', 'MemorySessionStore is closed.');
  }
}

/** For `store: { kind: 'memory', ... }`. It has the options of {@link MemorySessionStore}. */
export const memorySessionStoreFactory: SessionStoreFactory = Object.freeze({
  kind: 'memory',
  build: ({ kind: _kind, ...options }: Readonly<Record<string, unknown>>) => new MemorySessionStore(options),
});

function warnInProduction(): void {
  if (process.env['NODE_ENV'] !== 'production') return;
  process.emitWarning(
    'MemorySessionStore loses all labels when the process ends, and other processes do not see them. Use ValkeySessionStore in production.',
    { code: 'APL_MEMORY_STORE' },
  );
}
