import { createConnection, isIP } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import { AplSessionError } from '../../../contract/errors.js';
import { withDeadline } from '../../../util/deadlines.js';
import type { ValkeyEndpoint, ValkeyPassword } from '../config/valkey-endpoint.js';
import type { ValkeyTls } from '../config/valkey-tls.js';
import type { ValkeySource } from './valkey-source.js';

const PASSWORD_TIMEOUT_MS = 5_000;

/** Said each time, or `NODE_TLS_REJECT_UNAUTHORIZED` would decide. */
export const VERIFIED = Object.freeze({ rejectUnauthorized: true, checkServerIdentity });

/** Connections to an endpoint of the configuration. Plain text is for loopback only. */
export function endpointSource(endpoint: ValkeyEndpoint, details: ValkeyTls = {}): ValkeySource {
  const { host, port, tls, username, password, db } = endpoint;
  return {
    acceptsReplica: false,
    loopbackOnly: !tls,
    async login() {
      const current = await currentPassword(password);
      return {
        ...(username !== undefined && { username }),
        ...(current !== undefined && { password: current }),
        ...(db !== undefined && { db }),
      };
    },
    dial() {
      // SNI takes names only; the certificate is checked against the host either way
      const name = isIP(host) ? {} : { servername: host };
      const socket = tls
        ? connectTls({ host, port, ...name, ...details, ...VERIFIED })
        : createConnection({ host, port });
      return { socket: Promise.resolve(socket), release: () => socket.destroy() };
    },
  };
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
