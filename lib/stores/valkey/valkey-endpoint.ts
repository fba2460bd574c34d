import { AplSessionError } from '../../contract/errors.js';

/** A password, or what finds one: asked again for each connection, so that it may change. */
export type ValkeyPassword = string | (() => string | Promise<string>);

/** Where a Valkey listens, and as whom to log in, taken apart from a URL or `host:port`. */
export interface ValkeyEndpoint {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: ValkeyPassword;
  readonly db?: number;
}

/** What is said beside the endpoint. */
export interface EndpointOptions {
  readonly tls?: boolean;
  readonly username?: string | undefined;
  readonly password?: ValkeyPassword | undefined;
}

/** What a name really leads to is looked at once connected, before anything is said. */
const LOOPBACK = /^(localhost|::1|127(\.\d{1,3}){3})$/;
const DEFAULT_PORT = 6379;
const SCHEME = /^[a-z]+:\/\//i;

/**
 * Reads `redis://`, `rediss://` or `host:port`. Plain text is for loopback only: anything else needs TLS. Credentials
 * stand in the URL or beside a bare `host:port`, never in both.
 * @throws AplSessionError `config.invalid`; the message shows the endpoint with its credentials as `***`
 */
export function parseValkeyEndpoint(endpoint: string, options: EndpointOptions = {}): ValkeyEndpoint {
  const url = toUrl(endpoint);
  if (!url || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '' || url.search || url.hash) {
    throw invalid(endpoint, 'is not redis://host:port, rediss://host:port or host:port');
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (options.tls && url.protocol === 'redis:' && SCHEME.test(endpoint)) {
    throw invalid(endpoint, 'says redis://, which contradicts tls: use rediss://, or host:port with tls');
  }
  const tls = url.protocol === 'rediss:' || options.tls === true;
  if (!tls && !LOOPBACK.test(host)) {
    throw invalid(endpoint, 'is not a loopback address, so it needs TLS: use a rediss:// URL, or tls with host:port');
  }
  const db = url.pathname.replace(/^\//, '');
  if (url.port === '0') throw invalid(endpoint, 'has port 0, which nothing can listen on');
  if (!/^\d{0,9}$/.test(db)) throw invalid(endpoint, 'has a path that is no database number');
  return {
    host,
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    tls,
    ...loginFor(endpoint, url, options),
    ...(db !== '' && { db: Number(db) }),
  };
}

type Login = Pick<ValkeyEndpoint, 'username' | 'password'>;

function loginFor(endpoint: string, url: URL, { username, password }: EndpointOptions): Login {
  const inUrl = url.username !== '' || url.password !== '';
  if (username !== undefined || password !== undefined) {
    if (inUrl || SCHEME.test(endpoint)) {
      throw invalid(endpoint, 'is a URL, so its credentials must be in it: drop username and password, or the scheme');
    }
    if (password === undefined) throw invalid(endpoint, 'has a username without a password');
    return { ...(username !== undefined && { username }), password };
  }
  if (url.username !== '' && url.password === '') throw invalid(endpoint, 'has a username without a password');
  return {
    ...(url.username !== '' && { username: decode(endpoint, url.username) }),
    ...(url.password !== '' && { password: decode(endpoint, url.password) }),
  };
}

/** The endpoint with whatever stands before an `@`, or behind a `?` or `#`, replaced by `***`. */
export function redactEndpoint(endpoint: string): string {
  return endpoint.replace(/^([a-z]+:\/\/)?.*@/is, '$1***@').replace(/([?#]).*/s, '$1***');
}

/** Node's URL knows no default for `redis:`, and reads `host:port` as a scheme; hence the two steps. */
function toUrl(endpoint: string): URL | undefined {
  const text = SCHEME.test(endpoint) ? endpoint : `redis://${endpoint}`;
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
