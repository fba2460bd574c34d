import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ServerAddress } from '../../stores/valkey/config/server-list.js';
import type { ValkeyTls } from '../../stores/valkey/config/valkey-tls.js';
import { dialServer } from '../../stores/valkey/connection/dial-server.js';
import { connectionFailureOf } from '../../stores/valkey/protocol/store-error.js';
import { now, wallClock } from '../../util/clock.js';
import { withDeadline } from '../../util/deadlines.js';
import { failed } from './failed-connection.js';
import type { LocalFinding } from './finding.js';

const TIMEOUT_MS = 3_000;
const DAY_MS = 86_400_000;
/** A certificate that is valid for less than this is due for renewal. */
const RENEWAL_DAYS = 14;

/** Connects to one address, with TLS as the store does, sends nothing, and looks at the certificate. */
export async function checkAddress(address: ServerAddress, tls: ValkeyTls | undefined): Promise<LocalFinding[]> {
  const startedMs = now();
  const { socket: dialling, release } = dialServer(address, tls);
  try {
    const socket = await dialling;
    const tooLate = (): Error => Object.assign(new Error('The server did not accept in time.'), { code: 'ETIMEDOUT' });
    await withDeadline(() => connected(socket), TIMEOUT_MS, tooLate);
    const tookMs = Math.round(now() - startedMs);
    if (!(socket instanceof TLSSocket)) {
      const detail = `reached in ${tookMs} ms without TLS, which is accepted on this machine only`;
      return [{ name: 'address', status: 'ok', detail }];
    }
    const detail = `reached in ${tookMs} ms with ${socket.getProtocol()}`;
    return [{ name: 'address', status: 'ok', detail }, certificateOf(socket)];
  } catch (error) {
    const { code, reason } = connectionFailureOf(error);
    return [failed('address', code, reason)];
  } finally {
    release();
  }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', resolve);
    // do not remove this listener: a socket may emit a second error when it is destroyed
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('The connection was closed.')));
  });
}

function certificateOf(socket: TLSSocket): LocalFinding {
  const expiry = new Date(socket.getPeerCertificate().valid_to);
  const daysLeft = Math.floor((expiry.getTime() - wallClock()) / DAY_MS);
  const detail = `valid until ${expiry.toISOString().slice(0, 10)}, ${daysLeft} days from now`;
  const name = 'certificate';
  if (daysLeft >= RENEWAL_DAYS) return { name, status: 'ok', detail };
  const fix = `Renew the server's certificate: less than ${RENEWAL_DAYS} days are left.`;
  return { name, status: 'warning', detail, fix };
}
