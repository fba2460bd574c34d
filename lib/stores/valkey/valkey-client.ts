import { AplSessionError } from '../../contract/errors.js';

/** What the store needs of a client of ioredis 5 or 6, or of iovalkey. */
export interface ValkeyClient {
  readonly status: string;
  readonly isCluster?: boolean;
  readonly options: { readonly reconnectOnError?: ((error: Error) => unknown) | null | undefined };
  connect(): Promise<unknown>;
  disconnect(reconnect: boolean): void;
  ping(): Promise<unknown>;
  call(command: string, ...args: string[]): Promise<unknown>;
  smembers(key: string): Promise<unknown>;
  sadd(key: string, ...members: string[]): Promise<unknown>;
  expire(key: string, seconds: number): Promise<unknown>;
  multi(): ValkeyTransaction;
  multi(options: { readonly pipeline: false }): Promise<unknown>;
  exec(): Promise<unknown>;
  on(event: string, listener: (...values: unknown[]) => void): unknown;
  off(event: string, listener: (...values: unknown[]) => void): unknown;
}

export interface ValkeyTransaction {
  sadd(key: string, ...members: string[]): ValkeyTransaction;
  expire(key: string, seconds: number): ValkeyTransaction;
  exec(): Promise<unknown>;
}

const METHODS = ['connect', 'disconnect', 'ping', 'call', 'smembers', 'sadd', 'expire', 'multi', 'on', 'off'] as const;

/** The options of a client that would make the store read or write something else. A cluster has some one level down. */
interface RelevantOptions {
  readonly keyPrefix?: unknown;
  readonly readOnly?: unknown;
  readonly role?: unknown;
  readonly sentinels?: unknown;
  readonly failoverDetector?: unknown;
  readonly scaleReads?: unknown;
  readonly stringNumbers?: unknown;
  readonly redisOptions?: RelevantOptions;
}

/** @throws AplSessionError `config.invalid` for anything else than a client that reads and writes the primary as it is */
export function assertUsableClient(client: unknown): asserts client is ValkeyClient {
  const { status, options, ...methods } = pick(client);
  if (typeof status !== 'string' || typeof options !== 'object' || !METHODS.every((name) => methods[name])) {
    throw invalid('must be a client of ioredis 5 or 6, or of iovalkey');
  }
  const outer = (options ?? {}) as RelevantOptions;
  if (outer.sentinels && !outer.failoverDetector) {
    throw invalid(
      'asks Sentinel without failoverDetector: true, so it would stay with the old primary for seconds after a failover',
    );
  }
  for (const { keyPrefix, readOnly, role, scaleReads, stringNumbers } of [outer, outer.redisOptions ?? {}]) {
    if (keyPrefix !== undefined && keyPrefix !== null && keyPrefix !== '') {
      throw invalid(
        "has a keyPrefix of its own, which would hide the keys from other nodes; use the store's keyPrefix",
      );
    }
    if (readOnly) throw invalid('is readOnly, so it would read from replicas, which lag behind');
    if (role === 'slave') throw invalid("has role 'slave', so it would read from a replica, which lags behind");
    if (scaleReads !== undefined && scaleReads !== 'master') {
      throw invalid("reads from replicas, which lag behind; leave scaleReads at 'master'");
    }
    if (stringNumbers) throw invalid('has stringNumbers, so its counts are no numbers');
  }
}

function pick(client: unknown): Record<string, unknown> {
  const given = (client ?? {}) as Record<string, unknown>;
  const methods = METHODS.map((name) => [name, typeof given[name] === 'function'] as const);
  return { status: given['status'], options: given['options'], ...Object.fromEntries(methods) };
}

function invalid(fault: string): AplSessionError {
  return new AplSessionError('config.invalid', `ValkeySessionStore: 'client' ${fault}.`);
}
