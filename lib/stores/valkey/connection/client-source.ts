import { type ClientConnector, type ClientOptions, invalidClient, type SingleClient } from '../config/valkey-client.js';
import { VERIFIED } from './dial-server.js';
import type { ValkeyLogin } from './greet.js';
import type { ValkeySource } from './valkey-source.js';

/** How long a lookup waits for each Sentinel, in milliseconds. */
const SENTINEL_TIMEOUT_MS = 1_000;

/**
 * Connections with the address, TLS, database and Sentinel options that a client has now. Later changes of these
 * options have no effect. Only username and password are read again for each connection, because apps rotate them. The
 * store opens and closes the connections itself and never uses the client.
 */
export function clientSource(client: SingleClient): ValkeySource {
  const { db, tls, sentinelTLS, sentinels, natMap, host, port } = client.options;
  // never connected; a copy, so that the app cannot change the options later
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
  // each duplicate has its own connector, which opens its sockets
  if (!isConnector(template.connector))
    throw invalidClient('needs a connector with connect() and disconnect(); use a supported version');
  return {
    acceptsReplica: false,
    loopbackOnly: false,
    address: () => (sentinels || typeof host !== 'string' ? undefined : `${host}:${port}`),
    login: async () => loginIn(client.options, db),
    dial() {
      const connector = template.duplicate().connector as ClientConnector;
      return { socket: connector.connect(() => {}), release: () => connector.disconnect() };
    },
  };
}

/** The current login of a client. */
export function loginIn({ username, password }: ClientOptions, db?: unknown): ValkeyLogin {
  return {
    ...(typeof username === 'string' && username !== '' && { username }),
    ...(typeof password === 'string' && password !== '' && { password }),
    ...(typeof db === 'number' && { db }),
  };
}

/** Copies the options and adds certificate checks. Returns `undefined` if the client does not use TLS. */
export function verifiedTls(tls: unknown): object | undefined {
  if (!tls) return undefined;
  return { ...(typeof tls === 'object' && tls), ...VERIFIED };
}

function isConnector(connector: unknown): boolean {
  const { connect, disconnect } = (connector ?? {}) as Record<string, unknown>;
  return typeof connect === 'function' && typeof disconnect === 'function';
}
