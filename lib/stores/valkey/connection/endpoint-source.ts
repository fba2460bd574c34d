import { createConnection, isIP } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import { AplSessionError } from '../../../contract/errors.js';
import { withDeadline } from '../../../util/deadlines.js';
import type { ValkeyEndpoint, ValkeyPassword } from '../config/valkey-endpoint.js';
import type { ValkeyTls } from '../config/valkey-tls.js';
import type { ValkeySource } from './valkey-source.js';

const PASSWORD_TIMEOUT_MS = 5_000;

/** Explicit, because the default depends on the environment variable `NODE_TLS_REJECT_UNAUTHORIZED`. */
export const VERIFIED = Object.freeze({ rejectUnauthorized: true, checkServerIdentity });

/** Connections to the endpoint in the options. */
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
      // SNI does not allow IP addresses; the certificate is checked against the host in both cases
      const name = isIP(host) ? {} : { servername: host };
      const socket = tls
        ? connectTls({ host, port, ...name, ...details, ...VERIFIED })
        : createConnection({ host, port });
      return { socket: Promise.resolve(socket), release: () => socket.destroy() };
    },
  };
}

/** Never repeats the error of the password function, because its message may contain the password. */
async function currentPassword(password: ValkeyPassword | undefined): Promise<string | undefined> {
  if (typeof password !== 'function') return password;
  const failed = (): AplSessionError =>
    new AplSessionError('store.login_failed', 'the password function did not return a password in time');
  const answer: unknown = await withDeadline(async () => password(), PASSWORD_TIMEOUT_MS, failed).catch(() => {});
  if (typeof answer === 'string' && answer !== '') return answer;
  throw failed();
}
