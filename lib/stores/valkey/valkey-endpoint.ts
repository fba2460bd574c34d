import { AplSessionError } from '../../contract/errors.js';

/** Where a Valkey listens, and as whom to log in, taken apart from a URL or `host:port`. */
export interface ValkeyEndpoint {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
}

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '::1']);
const DEFAULT_PORT = 6379;

/**
 * Reads `redis://`, `rediss://` or `host:port`. Plain text is for loopback only: anything else needs `rediss://`.
 * @throws AplSessionError `config.invalid`; the message shows the endpoint with its credentials as `***`
 */
export function parseValkeyEndpoint(endpoint: string): ValkeyEndpoint {
  const url = toUrl(endpoint);
  if (!url || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '' || url.search || url.hash) {
    throw invalid(endpoint, 'is not redis://host:port, rediss://host:port or host:port');
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const tls = url.protocol === 'rediss:';
  if (!tls && !LOOPBACK_HOSTS.has(host)) {
    throw invalid(endpoint, 'is not a loopback address, so it needs TLS: use a rediss:// URL');
  }
  const db = url.pathname.replace(/^\//, '');
  if (url.port === '0') throw invalid(endpoint, 'has port 0, which nothing can listen on');
  if (!/^\d{0,9}$/.test(db)) throw invalid(endpoint, 'has a path that is no database number');
  if (url.username !== '' && url.password === '') throw invalid(endpoint, 'has a username without a password');
  return {
    host,
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    tls,
    ...(url.username !== '' && { username: decode(endpoint, url.username) }),
    ...(url.password !== '' && { password: decode(endpoint, url.password) }),
    ...(db !== '' && { db: Number(db) }),
  };
}

/** The endpoint with whatever stands before an `@`, or behind a `?` or `#`, replaced by `***`. */
export function redactEndpoint(endpoint: string): string {
  return endpoint.replace(/^([a-z]+:\/\/)?.*@/is, '$1***@').replace(/([?#]).*/s, '$1***');
}

/** Node's URL knows no default for `redis:`, and reads `host:port` as a scheme; hence the two steps. */
function toUrl(endpoint: string): URL | undefined {
  const text = /^[a-z]+:\/\//i.test(endpoint) ? endpoint : `redis://${endpoint}`;
  return URL.canParse(text) ? new URL(text) : undefined;
}

function decode(endpoint: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid(endpoint, 'has credentials that are not percent-encoded');
  }
}

function invalid(endpoint: string, fault: string): AplSessionError {
  return new AplSessionError('config.invalid', `Valkey endpoint '${redactEndpoint(endpoint)}' ${fault}.`);
}
