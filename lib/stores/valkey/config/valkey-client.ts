import type { Socket } from 'node:net';
import type { AplSessionError } from '../../../contract/errors.js';
import { invalidConfig } from '../../../options/invalid-config.js';

/** The options of ioredis 5 and 6 and of iovalkey that hold the address and the login of the server. */
export interface ClientOptions {
  readonly host?: unknown;
  readonly port?: unknown;
  readonly username?: unknown;
  readonly password?: unknown;
  readonly db?: unknown;
  readonly tls?: unknown;
  readonly sentinelTLS?: unknown;
  readonly sentinels?: unknown;
  readonly natMap?: unknown;
  /** The IP version: 4 or 6. */
  readonly family?: unknown;
}

/** The part of a client that opens its sockets. */
export interface ClientConnector {
  connect(onEvent: (type: string, error: Error) => void): Promise<Socket>;
  disconnect(): void;
}

/** A client of one server, or of the primary that Sentinel names. */
export interface SingleClient {
  readonly isCluster?: false;
  readonly options: ClientOptions;
  duplicate(options?: object): SingleClient & { readonly connector?: ClientConnector };
}

export interface ClusterClient {
  readonly isCluster: true;
  readonly options: { readonly redisOptions?: ClientOptions; readonly natMap?: unknown };
  readonly startupNodes?: unknown;
}

export type ValkeyClient = SingleClient | ClusterClient;

const METHODS = ['connect', 'disconnect', 'duplicate', 'sendCommand', 'smembers', 'sadd', 'on', 'off'] as const;

/** Options with which the store would use other keys or other servers. A cluster client has some in `redisOptions`. */
interface RelevantOptions {
  readonly keyPrefix?: unknown;
  readonly readOnly?: unknown;
  readonly role?: unknown;
  readonly sentinels?: unknown;
  readonly failoverDetector?: unknown;
  readonly scaleReads?: unknown;
  readonly useSRVRecords?: unknown;
  readonly tls?: unknown;
  readonly sentinelTLS?: unknown;
  readonly enableTLSForSentinelMode?: unknown;
  readonly redisOptions?: RelevantOptions;
}

/** @throws AplSessionError `config.invalid` unless the client uses only the primary, unchanged keys and verified TLS */
export function assertUsableClient(client: unknown): asserts client is ValkeyClient {
  const given = (client ?? {}) as Record<string, unknown>;
  const { status, options } = given;
  const isClient = METHODS.every((name) => typeof given[name] === 'function');
  if (typeof status !== 'string' || typeof options !== 'object' || !isClient) {
    throw invalidClient('must be a client of ioredis 5, ioredis 6 or iovalkey');
  }
  const outer = (options ?? {}) as RelevantOptions;
  if (outer.sentinels && !outer.failoverDetector) {
    throw invalidClient(
      'uses Sentinel without failoverDetector: true, so it would use the old primary for seconds after a failover; set it',
    );
  }
  if (outer.sentinels && outer.tls && !outer.enableTLSForSentinelMode) {
    throw invalidClient(
      'uses Sentinel and has tls without enableTLSForSentinelMode: true, so it would send its password to Valkey without TLS; set it',
    );
  }
  if (outer.useSRVRecords) {
    throw invalidClient('has useSRVRecords, which the store does not support; list the nodes');
  }
  for (const level of [outer, outer.redisOptions ?? {}]) {
    assertPrimary(level);
    assertVerified('tls', level.tls);
    assertVerified('sentinelTLS', level.sentinelTLS);
  }
}

function assertPrimary({ keyPrefix, readOnly, role, scaleReads }: RelevantOptions): void {
  if (keyPrefix !== undefined && keyPrefix !== null && keyPrefix !== '') {
    throw invalidClient("has a keyPrefix, so other processes would not find its keys; use the store's keyPrefix");
  }
  if (readOnly) throw invalidClient('has readOnly, so it would read outdated labels from replicas; remove readOnly');
  if (role === 'slave')
    throw invalidClient("has role 'slave', so it would read outdated labels from a replica; remove role");
  if (scaleReads !== undefined && scaleReads !== 'master') {
    throw invalidClient("would read outdated labels from replicas; leave scaleReads at 'master'");
  }
}

function assertVerified(name: string, tls: unknown): void {
  const { rejectUnauthorized, checkServerIdentity } = (tls ?? {}) as Record<string, unknown>;
  if (rejectUnauthorized !== undefined && rejectUnauthorized !== true) {
    throw invalidClient(
      `has ${name}.rejectUnauthorized: false, so any server could pretend to be Valkey; remove it, and set ${name}.ca to the certificate authority`,
    );
  }
  if (checkServerIdentity !== undefined) {
    throw invalidClient(
      `has ${name}.checkServerIdentity; remove it, and set ${name}.servername to the name in the certificate`,
    );
  }
}

export function invalidClient(fault: string): AplSessionError {
  return invalidConfig('ValkeySessionStore', `'client' ${fault}`);
}
