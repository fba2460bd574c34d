import { isIP } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import ioredis, { type Redis } from 'ioredis';
import { clearTimeout, setImmediate, setTimeout } from '../../contract/clock.js';
import { withDeadline } from '../../contract/deadline.js';
import { AplSessionError } from '../../contract/errors.js';
import type { ValkeyEndpoint, ValkeyPassword } from './valkey-endpoint.js';
import { type Greeting, greet } from './valkey-role.js';
import type { ValkeyTls } from './valkey-tls.js';

/** The one export that all versions of ioredis 5 and 6 have. */
const RedisClient = ioredis.default;

const PASSWORD_TIMEOUT_MS = 5_000;
const SOCKET_TIMEOUT_MS = 2_000;
const DISCONNECT_TIMEOUT_MS = 250;

export interface ClientSettings {
  readonly endpoint: ValkeyEndpoint;
  readonly tls?: ValkeyTls;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

/** A client for one connection: it does not reconnect, and queues nothing while it has none. */
export async function createClient(settings: ClientSettings): Promise<Redis> {
  const { tls, password, ...endpoint } = settings.endpoint;
  const current = await currentPassword(password);
  return new RedisClient({
    ...endpoint,
    ...(current !== undefined && { password: current }),
    // SNI takes names only; the certificate is checked against the host either way
    ...(tls && { tls: { ...(!isIP(endpoint.host) && { servername: endpoint.host }), ...settings.tls } }),
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // both would need rights that the store has no use for; see open()
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: connectTimeoutFor(settings),
    socketTimeout: Math.max(SOCKET_TIMEOUT_MS, settings.commandTimeoutMs),
    // how long a peer that was given up may take to close its side
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  });
}

/**
 * Connects, and waits until Valkey has answered everything that a client sends first: ioredis 5 does not wait for the
 * login, and none waits for the database.
 */
export async function open(client: Redis, settings: ClientSettings): Promise<Greeting> {
  // the handshake has no deadline of its own: with a peer that vanished it would wait for TCP to give up
  const deadline = setTimeout(() => client.disconnect(), connectTimeoutFor(settings)).unref();
  try {
    const connected = client.connect();
    setImmediate(() => toleratesMoreErrors(client));
    await connected;
    const greeting = await greet(client);
    // what went wrong before is reported by now, if only as an event
    await nextTurn();
    return greeting;
  } finally {
    clearTimeout(deadline);
  }
}

/**
 * ioredis listens for the first error of its stream only. One that is given up in the middle of a TLS handshake may
 * report two, the server's certificate and the server's alert, and the second would be an uncaught exception.
 */
function toleratesMoreErrors({ stream }: Redis): void {
  stream?.on('error', () => {});
}

function connectTimeoutFor({ connectTimeoutMs }: ClientSettings): number {
  return Math.max(SOCKET_TIMEOUT_MS, connectTimeoutMs);
}

/** What the function throws may hold anything, so it goes nowhere. */
async function currentPassword(password: ValkeyPassword | undefined): Promise<string | undefined> {
  if (typeof password !== 'function') return password;
  const failed = (): AplSessionError =>
    new AplSessionError('store.login_failed', 'the password function gave no password');
  const answer: unknown = await withDeadline(async () => password(), PASSWORD_TIMEOUT_MS, failed).catch(() => {});
  if (typeof answer === 'string' && answer !== '') return answer;
  throw failed();
}
