import { createConnection, isIP } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import type { Dialled } from './valkey-source.js';

/** Explicit, because the default depends on the environment variable `NODE_TLS_REJECT_UNAUTHORIZED`. */
export const VERIFIED = Object.freeze({ rejectUnauthorized: true, checkServerIdentity });

export interface DialAddress {
  readonly host: string;
  readonly port: number;
  /** The IP version: 4 or 6. */
  readonly family?: number;
}

/** Opens a socket to a server. With TLS options, even empty ones, it uses TLS and verifies the certificate. */
export function dialServer(address: DialAddress, tls: object | undefined): Dialled {
  // SNI does not allow IP addresses; the certificate is checked against the host in both cases
  const name = isIP(address.host) ? {} : { servername: address.host };
  const socket = tls ? connectTls({ ...address, ...name, ...tls, ...VERIFIED }) : createConnection({ ...address });
  return { socket: Promise.resolve(socket), release: () => socket.destroy() };
}
