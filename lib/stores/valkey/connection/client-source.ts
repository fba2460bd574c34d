import { type ClientConnector, type ClientOptions, invalidClient, type SingleClient } from '../config/valkey-client.js';
import { VERIFIED } from './endpoint-source.js';
import type { ValkeyLogin } from './valkey-greeting.js';
import type { ValkeySource } from './valkey-source.js';

/** How long a look-up at Sentinel waits for one of them, in milliseconds. */
const SENTINEL_TIMEOUT_MS = 1_000;

/**
 * Connections with the options that a caller's client has now: where its server is, TLS, database, Sentinel. The store
 * opens and ends them; the client itself is neither used nor touched. Later changes of its options change nothing, but
 * for the username and the password, which apps rotate: those are read for each connection, and wrong ones can only fail.
 */
export function clientSource(client: SingleClient): ValkeySource {
  const { db, tls, sentinelTLS, sentinels, natMap } = client.options;
  // never connected; it keeps the options from the caller's hands
  const template = client.duplicate({
    tls: verifiedTls(tls),
    sentinelTLS: verifiedTls(sentinelTLS),
    sentinels: Array.isArray(sentinels) ? sentinels.map((sentinel: object) => ({ ...sentinel })) : sentinels,
    natMap: typeof natMap === 'object' && natMap !== null ? { ...natMap } : natMap,
    lazyConnect: true,
    retryStrategy: null,
    sentinelRetryStrategy: null,
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
    connectTimeout: SENTINEL_TIMEOUT_MS,
    // the store destroys its sockets itself
    disconnectTimeout: 1,
    monitor: false,
    readOnly: false,
    scripts: undefined,
    himportFieldsets: undefined,
  });
  // each copy makes its sockets with a connector of its own
  if (!isConnector(template.connector)) throw invalidClient('has no connector that the store could use');
  return {
    acceptsReplica: false,
    loopbackOnly: false,
    login: async () => loginIn(client.options, db),
    dial() {
      const connector = template.duplicate().connector as ClientConnector;
      return { socket: connector.connect(() => {}), release: () => connector.disconnect() };
    },
  };
}

/** The login that a client has at this moment. */
export function loginIn({ username, password }: ClientOptions, db?: unknown): ValkeyLogin {
  return {
    ...(typeof username === 'string' && username !== '' && { username }),
    ...(typeof password === 'string' && password !== '' && { password }),
    ...(typeof db === 'number' && { db }),
  };
}

/** A copy that verifies certificates; `undefined` if the client speaks plain text. */
export function verifiedTls(tls: unknown): object | undefined {
  if (!tls) return undefined;
  return { ...(typeof tls === 'object' && tls), ...VERIFIED };
}

function isConnector(connector: unknown): boolean {
  const { connect, disconnect } = (connector ?? {}) as Record<string, unknown>;
  return typeof connect === 'function' && typeof disconnect === 'function';
}
