import type { Socket } from 'node:net';
import { AplSessionError } from '../../../contract/errors.js';

/** The options of a client of ioredis 5 or 6, or of iovalkey, that say where its server is and as whom to log in. */
export interface ClientOptions {
  readonly username?: unknown;
  readonly password?: unknown;
  readonly db?: unknown;
  readonly tls?: unknown;
  readonly sentinelTLS?: unknown;
  readonly sentinels?: unknown;
  readonly natMap?: unknown;
  /** Of IP: 4 or 6. */
  readonly family?: unknown;
}

/** What makes the sockets of a client. */
export interface ClientConnector {
  connect(onEvent: (type: string, error: Error) => void): Promise<Socket>;
  disconnect(): void;
}

/** A client for one server, or for the primary that Sentinel knows. */
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

/** The options of a client that would make the store read or write something else. A cluster has some one level down. */
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

/** @throws AplSessionError `config.invalid` for anything else than a client that reads and writes the primary as it is */
export function assertUsableClient(client: unknown): asserts client is ValkeyClient {
  const given = (client ?? {}) as Record<string, unknown>;
  const { status, options } = given;
  const isClient = METHODS.every((name) => typeof given[name] === 'function');
  if (typeof status !== 'string' || typeof options !== 'object' || !isClient) {
    throw invalidClient('must be a client of ioredis 5 or 6, or of iovalkey');
  }
  const outer = (options ?? {}) as RelevantOptions;
  if (outer.sentinels && !outer.failoverDetector) {
    throw invalidClient(
      'asks Sentinel without failoverDetector: true, so it would stay with the old primary for seconds after a failover',
    );
  }
  if (outer.useSRVRecords) {
    throw invalidClient('finds its nodes by SRV records, which the store does not read; name the nodes');
  }
  for (const level of [outer, outer.redisOptions ?? {}]) {
    assertPrimary(level);
    assertVerified('tls', level.tls);
    assertVerified('sentinelTLS', level.sentinelTLS);
  }
}

function assertPrimary({ keyPrefix, readOnly, role, scaleReads }: RelevantOptions): void {
  if (keyPrefix !== undefined && keyPrefix !== null && keyPrefix !== '') {
    throw invalidClient(
      "has a keyPrefix of its own, which would hide the keys from other nodes; use the store's keyPrefix",
    );
  }
  if (readOnly) throw invalidClient('is readOnly, so it would read from replicas, which lag behind');
  if (role === 'slave') throw invalidClient("has role 'slave', so it would read from a replica, which lags behind");
  if (scaleReads !== undefined && scaleReads !== 'master') {
    throw invalidClient("reads from replicas, which lag behind; leave scaleReads at 'master'");
  }
}

function assertVerified(name: string, tls: unknown): void {
  const { rejectUnauthorized, checkServerIdentity } = (tls ?? {}) as Record<string, unknown>;
  if (rejectUnauthorized !== undefined && rejectUnauthorized !== true) {
    throw invalidClient(
      `has ${name}.rejectUnauthorized: false, so any server could answer in place of Valkey; give ${name}.ca the authority of its certificate`,
    );
  }
  if (checkServerIdentity !== undefined) {
    throw invalidClient(
      `has a ${name}.checkServerIdentity of its own; say with ${name}.servername which name the certificate has`,
    );
  }
}

export function invalidClient(fault: string): AplSessionError {
  return new AplSessionError('config.invalid', `ValkeySessionStore: 'client' ${fault}.`);
}
