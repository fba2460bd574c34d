import Joi from 'joi';
import type { SessionStoreTtlUnsound } from '../../../contract/alarms.js';
import { AplSessionError } from '../../../contract/errors.js';
import { parseOptions } from '../../../util/parse-options.js';
import { assertUsableClient, type ValkeyClient } from './valkey-client.js';
import { parseValkeyEndpoint, type ValkeyEndpoint, type ValkeyPassword } from './valkey-endpoint.js';
import { parseValkeyTls, tlsDetails, tlsSwitch, type ValkeyTls, type ValkeyTlsOptions } from './valkey-tls.js';

export interface ValkeySessionStoreOptions {
  /**
   * `redis://`, `rediss://` or `host:port`, with percent-encoded credentials if any. Plain text is accepted for
   * loopback only: `localhost` whose peer is on another machine is given up before anything is said. Required, unless there is a `client`.
   */
  readonly endpoint?: string;

  /**
   * TLS for an endpoint that is `host:port`, or its details: `true`, or `{ ca, cert, key, servername }`. Implied by
   * `rediss://`, refused with `redis://`. `false`, the default, adds nothing.
   */
  readonly tls?: boolean | ValkeyTlsOptions;

  /** The ACL user to log in as, beside an endpoint that is `host:port`. Needs `password`. Default: the default user. */
  readonly username?: string;

  /**
   * The password as it is, not encoded, beside an endpoint that is `host:port`; or a function that returns it or
   * promises it within 5 seconds, called again for each connection.
   */
  readonly password?: ValkeyPassword;

  /**
   * A client of ioredis 5 or 6, or of iovalkey, instead of an endpoint. The store opens connections of its own with the
   * address, TLS, database and login that the client has at construction, and reads only `username` and `password` anew
   * for each; `close()` ends them. The client itself is neither used nor touched. It must have no `keyPrefix`, must not
   * read from replicas, and must check certificates; with `sentinels` it needs `failoverDetector`.
   */
  readonly client?: object;

  /** What comes before the colon and the hash in every key. Default `taint:v1`, which CPEX uses. */
  readonly keyPrefix?: string;

  /** Seconds after the last load or append at which Valkey forgets a session. Default: never. */
  readonly ttlSeconds?: number;

  /** The longest that a session may live, in seconds. A shorter `ttlSeconds` raises `session_store_ttl_unsound`. */
  readonly maxSessionLifetimeSeconds?: number;

  /**
   * How many labels a session may have: a load that finds more, and an append of more at once, reject with
   * `store.too_many_labels`. Default 1,000.
   */
  readonly maxLabelsPerSession?: number;

  /** How long a call waits for a connection, in milliseconds. Default 250. */
  readonly connectTimeoutMs?: number;

  /** How long a call then waits for its reply, in milliseconds. Default 500. */
  readonly commandTimeoutMs?: number;

  /**
   * Whether a call is tried once more, within the same deadlines, if its connection was lost or the server cannot serve
   * at present. Default true.
   */
  readonly retry?: boolean;

  /** Whether calls are refused at once after a run of failures, until a probe succeeds. Default false. */
  readonly circuitBreaker?: false | ValkeyCircuitBreakerOptions;
}

export interface ValkeyCircuitBreakerOptions {
  /** How many calls in a row must find no connection or get no reply in time. Default 10. */
  readonly consecutiveFailures?: number;

  /** How long calls are then refused before one of them is let through as a probe, in milliseconds. Default 1000. */
  readonly halfOpenAfterMs?: number;
}

/** Where the labels are: at an endpoint, or behind a client. */
export type ValkeyTarget =
  | { readonly endpoint: ValkeyEndpoint; readonly tls?: ValkeyTls }
  | { readonly client: ValkeyClient };

export type ValkeyConfig = ValkeyTarget & {
  readonly keyPrefix: string;
  readonly ttlSeconds?: number;
  readonly maxSessionLifetimeSeconds?: number;
  readonly maxLabelsPerSession: number;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly retry: boolean;
  readonly circuitBreaker: false | Required<ValkeyCircuitBreakerOptions>;
};

const MAX_SECONDS = 2_147_483_647;
/** The two timeouts together must fit a timer of Node. */
const MAX_TIMEOUT_MS = 1_000_000_000;

const breakerSchema = Joi.object({
  consecutiveFailures: Joi.number().integer().min(1).default(10),
  halfOpenAfterMs: Joi.number().integer().min(1).max(MAX_TIMEOUT_MS).default(1_000),
});

type Defaults = Pick<
  ValkeyConfig,
  'maxLabelsPerSession' | 'connectTimeoutMs' | 'commandTimeoutMs' | 'retry' | 'circuitBreaker'
>;

const schema = Joi.object<ValkeySessionStoreOptions & Defaults>({
  endpoint: Joi.string(),
  // biome-ignore lint/suspicious/noThenProperty: a condition of joi
  tls: Joi.alternatives().conditional(Joi.object(), { then: tlsDetails, otherwise: tlsSwitch }),
  username: Joi.string().min(1),
  password: Joi.any().custom(passwordLike),
  client: Joi.any(),
  keyPrefix: Joi.string().min(1).default('taint:v1'),
  ttlSeconds: Joi.number().integer().min(1).max(MAX_SECONDS),
  maxSessionLifetimeSeconds: Joi.number().integer().min(1).max(MAX_SECONDS),
  maxLabelsPerSession: Joi.number().integer().min(1).default(1_000),
  connectTimeoutMs: Joi.number().integer().min(1).max(MAX_TIMEOUT_MS).default(250),
  commandTimeoutMs: Joi.number().integer().min(1).max(MAX_TIMEOUT_MS).default(500),
  retry: Joi.boolean().default(true),
  circuitBreaker: Joi.alternatives(Joi.valid(false), breakerSchema).default(false),
});

/** @throws AplSessionError `config.invalid` */
export function parseValkeyConfig(options: unknown): ValkeyConfig {
  const parsed = parseOptions('ValkeySessionStore', schema, options);
  Object.freeze(parsed.circuitBreaker);
  const { endpoint, tls, username, password, client, keyPrefix = '', ...rest } = parsed;
  return Object.freeze({ ...targetOf(parsed), keyPrefix, ...rest });
}

/** The alarm that a TTL below the lifetime of a session deserves: labels would vanish under a living session. */
export function ttlAlarm({ ttlSeconds, maxSessionLifetimeSeconds }: ValkeyConfig): SessionStoreTtlUnsound | undefined {
  if (ttlSeconds === undefined || maxSessionLifetimeSeconds === undefined) return undefined;
  if (ttlSeconds >= maxSessionLifetimeSeconds) return undefined;
  const error = `ttlSeconds is ${ttlSeconds}, maxSessionLifetimeSeconds ${maxSessionLifetimeSeconds}. Raise ttlSeconds to that at least.`;
  return Object.freeze({ alarm: 'session_store_ttl_unsound', error, ttlSeconds, maxSessionLifetimeSeconds });
}

function targetOf({ endpoint, tls = false, username, password, client }: ValkeySessionStoreOptions): ValkeyTarget {
  if (client !== undefined) {
    if (endpoint !== undefined || tls !== false || username !== undefined || password !== undefined) {
      throw invalid("'client' has its own endpoint, tls, username and password; drop those, or the client");
    }
    assertUsableClient(client);
    return { client };
  }
  if (endpoint === undefined) throw invalid("'endpoint' is required, or a 'client'");
  const parsed = parseValkeyEndpoint(endpoint, { tls: tls !== false, username, password });
  return { endpoint: Object.freeze(parsed), ...(typeof tls === 'object' && { tls: parseValkeyTls(tls) }) };
}

function passwordLike(value: unknown, { error }: Joi.CustomHelpers): unknown {
  return typeof value === 'function' || (typeof value === 'string' && value !== '')
    ? value
    : error('any.custom', { error: new Error('it must be a non-empty string or a function') });
}

function invalid(fault: string): AplSessionError {
  return new AplSessionError('config.invalid', `ValkeySessionStore: ${fault}.`);
}
