import Joi from 'joi';
import type { SessionStoreTtlUnsound } from '../../../contract/alarms.js';
import { DEFAULT_MAX_LABELS_PER_SESSION } from '../../../labels/label-limit.js';
import { parseOptions } from '../../../options/parse-options.js';
import { type ProvenanceOption, provenanceSchema } from '../../../provenance/provenance-option.js';
import { durabilitySchema, type ValkeyDurability, type ValkeyDurabilityOptions } from './valkey-durability.js';
import type { ValkeyPassword } from './valkey-endpoint.js';
import { parseTarget, type ValkeyTarget } from './valkey-target.js';
import { tlsDetails, tlsSwitch, type ValkeyTlsOptions } from './valkey-tls.js';

export interface ValkeySessionStoreOptions {
  /**
   * One server: `redis://`, `rediss://` or `host:port`, with percent-encoded credentials if any. Only loopback addresses
   * may be used without TLS. The store checks the address of the peer before it sends anything.
   *
   * Exactly one of `endpoint`, `sentinels`, `nodes` and `client` is required.
   */
  readonly endpoint?: string;

  /**
   * The Sentinels, each as `host:port` or `rediss://host:port`. The default port is 26379. The store uses the primary
   * that the majority of them names, and leaves it when they name another one. Needs `name`.
   */
  readonly sentinels?: readonly string[];

  /** The name of the primary in the configuration of the Sentinels (`sentinel monitor <name> ...`). */
  readonly name?: string;

  /**
   * Some nodes of a cluster, each as `host:port` or `rediss://host:port`. The store finds the other nodes itself. List
   * several, because the store starts only if one of them answers.
   */
  readonly nodes?: readonly string[];

  /**
   * `true` for TLS with an address that is `host:port`, or the details: `{ ca, cert, key, servername }`. `rediss://`
   * has TLS already and may get details; `redis://` with TLS is an error. With `sentinels` both the Sentinels and the
   * primary use TLS with these details.
   * @default false
   */
  readonly tls?: boolean | ValkeyTlsOptions;

  /**
   * The ACL user of Valkey. Needs `password`. An endpoint must be `host:port` then, because a URL has its own login.
   * @default the default user of the server
   */
  readonly username?: string;

  /**
   * The password of Valkey, not percent-encoded; or a function that returns the password or a promise of it. The
   * function is called for each connection and must settle within 5 seconds. An endpoint must be `host:port` then.
   */
  readonly password?: ValkeyPassword;

  /**
   * The ACL user of the Sentinels. Needs `sentinelPassword`.
   * @default the default user of the Sentinels
   */
  readonly sentinelUsername?: string;

  /** The password of the Sentinels: a string or a function, like `password`. The store never sends them `password`. */
  readonly sentinelPassword?: ValkeyPassword;

  /**
   * A client of ioredis 5, ioredis 6 or iovalkey, instead of addresses. The store opens its own connections with the
   * address, TLS and database that the client has when the store is constructed. It reads `username` and `password`
   * again for each connection. `close()` closes these connections; the store never uses or closes the client itself.
   * The client must not have a `keyPrefix`, must not read from replicas, and must check certificates. With `sentinels`
   * it needs `failoverDetector: true`.
   */
  readonly client?: object;

  /**
   * The beginning of every key: `<keyPrefix>:<hash of the session id>`. CPEX uses the default.
   * @default 'taint:v1'
   */
  readonly keyPrefix?: string;

  /**
   * Valkey deletes a session this many seconds after its last load or append.
   * @default sessions never expire
   */
  readonly ttlSeconds?: number;

  /** The longest life of a session, in seconds. A shorter `ttlSeconds` raises `session_store_ttl_unsound`. */
  readonly maxSessionLifetimeSeconds?: number;

  /**
   * How many labels a session may have. A load that finds more, or an append of more in one call, rejects with
   * `store.too_many_labels`.
   * @default 1000
   */
  readonly maxLabelsPerSession?: number;

  /**
   * How long a call waits for a connection, in milliseconds.
   * @default 250
   */
  readonly connectTimeoutMs?: number;

  /**
   * How long a call then waits for its reply, in milliseconds.
   * @default 500
   */
  readonly commandTimeoutMs?: number;

  /**
   * Whether to retry a call once, within the same deadlines, if its connection was lost or the server cannot serve at
   * present.
   * @default true
   */
  readonly retry?: boolean;

  /**
   * Keeps the first origin of each label in a second key, `why:v1:{<key>}`, for `explain()`: when it was added, on which route, by
   * which guard, on which node, with which request id. The user of the store then also needs `~why:v1:* +hsetnx`, `+hgetall` for
   * `explain()`, and `+multi +exec` also without `ttlSeconds`; without these rights appends fail.
   * @default false
   */
  readonly provenance?: ProvenanceOption;

  /**
   * What an append must have reached before it resolves: the disk of the primary, replicas, or both.
   * @default the memory of the primary
   */
  readonly durability?: ValkeyDurabilityOptions;

  /**
   * Rejects calls immediately after several failures in a row, until a probe succeeds.
   * @default false
   */
  readonly circuitBreaker?: false | ValkeyCircuitBreakerOptions;
}

export interface ValkeyCircuitBreakerOptions {
  /**
   * The circuit opens after this many calls in a row without a connection or without a reply in time.
   * @default 10
   */
  readonly consecutiveFailures?: number;

  /**
   * How long all calls are then rejected, in milliseconds. The next call after that is the probe.
   * @default 1000
   */
  readonly halfOpenAfterMs?: number;
}

export type ValkeyConfig = ValkeyTarget & {
  readonly keyPrefix: string;
  readonly ttlSeconds?: number;
  readonly maxSessionLifetimeSeconds?: number;
  readonly maxLabelsPerSession: number;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly retry: boolean;
  readonly provenance: ProvenanceOption;
  readonly durability?: ValkeyDurability;
  readonly circuitBreaker: false | Required<ValkeyCircuitBreakerOptions>;
};

const MAX_SECONDS = 2_147_483_647;
/** The sum of the two timeouts must fit in a Node timer. */
const MAX_TIMEOUT_MS = 1_000_000_000;

const breakerSchema = Joi.object({
  consecutiveFailures: Joi.number().integer().min(1).default(10),
  halfOpenAfterMs: Joi.number().integer().min(1).max(MAX_TIMEOUT_MS).default(1_000),
});

type Defaults = Pick<
  ValkeyConfig,
  | 'maxLabelsPerSession'
  | 'connectTimeoutMs'
  | 'commandTimeoutMs'
  | 'retry'
  | 'provenance'
  | 'durability'
  | 'circuitBreaker'
>;

const ADDRESSES = {
  'array.min': '{{#label}} is empty; give at least one address',
  'string.base': '{{#label}} must be a string: host:port or rediss://host:port',
};

const schema = Joi.object<Omit<ValkeySessionStoreOptions, 'durability'> & Defaults>({
  endpoint: Joi.string(),
  sentinels: Joi.array().items(Joi.string()).min(1).messages(ADDRESSES),
  name: Joi.string().min(1),
  nodes: Joi.array().items(Joi.string()).min(1).messages(ADDRESSES),
  // biome-ignore lint/suspicious/noThenProperty: a condition of joi
  tls: Joi.alternatives().conditional(Joi.object(), { then: tlsDetails, otherwise: tlsSwitch }),
  username: Joi.string().min(1),
  password: Joi.any().custom(passwordLike),
  sentinelUsername: Joi.string().min(1),
  sentinelPassword: Joi.any().custom(passwordLike),
  client: Joi.any(),
  keyPrefix: Joi.string().min(1).default('taint:v1'),
  ttlSeconds: Joi.number().integer().min(1).max(MAX_SECONDS),
  maxSessionLifetimeSeconds: Joi.number().integer().min(1).max(MAX_SECONDS),
  maxLabelsPerSession: Joi.number().integer().min(1).default(DEFAULT_MAX_LABELS_PER_SESSION),
  connectTimeoutMs: Joi.number().integer().min(1).max(MAX_TIMEOUT_MS).default(250),
  commandTimeoutMs: Joi.number().integer().min(1).max(MAX_TIMEOUT_MS).default(500),
  retry: Joi.boolean().default(true),
  provenance: provenanceSchema.default(false),
  durability: durabilitySchema,
  circuitBreaker: Joi.alternatives(Joi.valid(false), breakerSchema).default(false),
});

/** @throws AplSessionError `config.invalid` */
export function parseValkeyConfig(options: unknown): ValkeyConfig {
  const parsed = parseOptions('ValkeySessionStore', schema, options);
  Object.freeze(parsed.circuitBreaker);
  if (parsed.durability) Object.freeze(parsed.durability);
  const { endpoint, sentinels, name, nodes, client, keyPrefix = '', ...others } = parsed;
  const { tls, username, password, sentinelUsername, sentinelPassword, ...rest } = others;
  return Object.freeze({ ...parseTarget(parsed), keyPrefix, ...rest });
}

/** The alarm for a TTL that is shorter than the life of a session: a living session would lose its labels. */
export function ttlAlarm({ ttlSeconds, maxSessionLifetimeSeconds }: ValkeyConfig): SessionStoreTtlUnsound | undefined {
  if (ttlSeconds === undefined || maxSessionLifetimeSeconds === undefined) return undefined;
  if (ttlSeconds >= maxSessionLifetimeSeconds) return undefined;
  const error = `ttlSeconds is ${ttlSeconds} and maxSessionLifetimeSeconds is ${maxSessionLifetimeSeconds}. Raise ttlSeconds to at least ${maxSessionLifetimeSeconds}.`;
  return Object.freeze({ alarm: 'session_store_ttl_unsound', error, ttlSeconds, maxSessionLifetimeSeconds });
}

function passwordLike(value: unknown, { error }: Joi.CustomHelpers): unknown {
  return typeof value === 'function' || (typeof value === 'string' && value !== '')
    ? value
    : error('any.custom', { error: new Error('must be a non-empty string, or a function that returns it') });
}
