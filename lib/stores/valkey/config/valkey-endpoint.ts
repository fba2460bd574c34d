import { AplSessionError } from '../../../contract/errors.js';

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
 * @throws AplSessionError `config.invalid`; the message shows of the endpoint what cannot be a credential
 */
export function parseValkeyEndpoint(endpoint: string, options: EndpointOptions = {}): ValkeyEndpoint {
  const misspelt = MISSPELLINGS.find(([pattern]) => pattern.test(endpoint));
  if (misspelt) throw invalid(endpoint, misspelt[1]);
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

/** Spellings that are often met, and how to mend each. The first that fits is told. */
const MISSPELLINGS: ReadonlyArray<readonly [pattern: RegExp, fault: string]> = [
  [
    /^(export\s+)?\w+\s*=\s*(['"]|rediss?:|REDISS?:)|^[A-Z][A-Z0-9]*_[A-Z0-9_]*=/,
    'begins with a name and =, as a line of an environment file does: give what stands behind the = only',
  ],
  [/^['"`]|['"`]$/, 'is in quotes: take them away'],
  [/\s/, 'has white space in it: take it away, or write %20 where it belongs to a username or password'],
  [
    /^(unix|redis\+socket|redis-socket):|^\/(?!\/)/i,
    "is a Unix socket, to which the store cannot connect by itself: give host:port, or a 'client' that is connected to the socket",
  ],
  [
    /^(?:[a-z][a-z0-9+.-]*:\/\/|(?!.*:\/\/))[^/?#]*[/?#].*@/i,
    "has a / or ? or # before its @: in a username or password write %2F, %3F and %23, or give them as 'username' and 'password' beside host:port",
  ],
];

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

/** An endpoint, taken apart; each part looks as it has to. */
const PARTS =
  /^(?<scheme>rediss?:\/\/)?(?:(?<login>[^/?#]*)@)?(?<host>\[[0-9a-f:.]+\]|[a-z0-9][a-z0-9._-]*)(?<port>:\d{1,5})?(?<rest>[/?#].*)?$/is;
/** What looks like a name of another machine may be a username whose host was forgotten, and its port a password. */
const ADDRESS = /^(localhost|\[.*\]|\d{1,3}(\.\d{1,3}){3})$/i;

/**
 * Of an endpoint what can be shown: its scheme, and its host and port where they cannot be anything else. All the rest may be
 * a credential, wherever it stands, as nobody knows what was meant with an endpoint that is wrong.
 */
export function redactEndpoint(endpoint: string): string {
  const { scheme, login, host = '', port = '', rest = '' } = PARTS.exec(endpoint)?.groups ?? {};
  const certain = ADDRESS.test(host) || port === `:${DEFAULT_PORT}`;
  // behind a login it may be the end of a password that has an @ in it
  const isName = login === undefined && host.includes('.');
  if (host === '' || rest.includes('@') || !(certain || isName)) {
    return `${/^rediss?:\/\//i.exec(endpoint)?.[0] ?? ''}***`;
  }
  const shownPort = certain || port === '' ? port : ':***';
  const shownRest = /^(\/\d{0,2})?$/.test(rest) ? rest : `${rest.slice(0, 1)}***`;
  return `${scheme ?? ''}${login === undefined ? '' : '***@'}${host}${shownPort}${shownRest}`;
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
    throw invalid(endpoint, 'has credentials that are not percent-encoded: write % as %25');
  }
}

function invalid(endpoint: string, fault: string): AplSessionError {
  return new AplSessionError('config.invalid', `Valkey endpoint '${redactEndpoint(endpoint)}' ${fault}.`);
}
