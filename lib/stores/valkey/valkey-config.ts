import Joi from 'joi';
import { parseOptions } from '../../contract/parse-options.js';
import { parseValkeyEndpoint, type ValkeyEndpoint } from './valkey-endpoint.js';

export interface ValkeySessionStoreOptions {
  /**
   * `redis://`, `rediss://` or `host:port`, with percent-encoded credentials if any. Plain text is accepted for
   * loopback only.
   */
  readonly endpoint: string;

  /** What comes before the colon and the hash in every key. Default `taint:v1`, which CPEX uses. */
  readonly keyPrefix?: string;

  /** Seconds after the last load or append at which Valkey forgets a session. Default: never. */
  readonly ttlSeconds?: number;

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

export interface ValkeyConfig {
  readonly endpoint: ValkeyEndpoint;
  readonly keyPrefix: string;
  readonly ttlSeconds?: number;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly retry: boolean;
  readonly circuitBreaker: false | Required<ValkeyCircuitBreakerOptions>;
}

const MAX_TTL_SECONDS = 2_147_483_647;
/** The two timeouts together must fit a timer of Node. */
const MAX_TIMEOUT_MS = 1_000_000_000;

const breakerSchema = Joi.object({
  consecutiveFailures: Joi.number().integer().min(1).default(10),
  halfOpenAfterMs: Joi.number().integer().min(1).max(MAX_TIMEOUT_MS).default(1_000),
});

const schema = Joi.object<Omit<ValkeyConfig, 'endpoint'> & { endpoint: string }>({
  endpoint: Joi.string().required(),
  keyPrefix: Joi.string().min(1).default('taint:v1'),
  ttlSeconds: Joi.number().integer().min(1).max(MAX_TTL_SECONDS),
  connectTimeoutMs: Joi.number().integer().min(1).max(MAX_TIMEOUT_MS).default(250),
  commandTimeoutMs: Joi.number().integer().min(1).max(MAX_TIMEOUT_MS).default(500),
  retry: Joi.boolean().default(true),
  circuitBreaker: Joi.alternatives(Joi.valid(false), breakerSchema).default(false),
});

/** @throws AplSessionError `config.invalid` */
export function parseValkeyConfig(options: unknown): ValkeyConfig {
  const config = parseOptions('ValkeySessionStore', schema, options);
  Object.freeze(config.circuitBreaker);
  return Object.freeze({ ...config, endpoint: parseValkeyEndpoint(config.endpoint) });
}
