import { isAddress } from '../../../alarms/redact.js';
import type { AplSessionError } from '../../../contract/errors.js';
import { invalidConfig } from '../../../options/invalid-config.js';

/** A password, or a function that is called for each connection, so that the password may change. */
export type ValkeyPassword = string | (() => string | Promise<string>);

/** The address and the login of a Valkey, parsed from a URL or from `host:port`. */
export interface ValkeyEndpoint {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: ValkeyPassword;
  readonly db?: number;
}

/** The options beside the endpoint. */
export interface EndpointOptions {
  readonly tls?: boolean;
  readonly username?: string | undefined;
  readonly password?: ValkeyPassword | undefined;
}

/** The option that holds an address, for messages, and the port of an address without one. */
export interface AddressOption {
  readonly name: string;
  readonly defaultPort: number;
}

/** A name may resolve to another machine; the connection checks its peer before it sends anything. */
const LOOPBACK = /^(localhost|::1|127(\.\d{1,3}){3})$/;
export const VALKEY_PORT = 6379;
const ENDPOINT: AddressOption = { name: 'endpoint', defaultPort: VALKEY_PORT };
const SCHEME = /^[a-z]+:\/\//i;

/**
 * Parses `redis://`, `rediss://` or `host:port`. Only loopback addresses may be used without TLS. Credentials are in
 * the URL, or in the options if the endpoint is `host:port`, never in both.
 * @throws AplSessionError `config.invalid`; the message never shows a part of the endpoint that may be a credential
 */
export function parseValkeyEndpoint(
  endpoint: string,
  options: EndpointOptions = {},
  option: AddressOption = ENDPOINT,
): ValkeyEndpoint {
  const invalid = (fault: string): AplSessionError => invalidAddress(option.name, endpoint, fault);
  const misspelt = MISSPELLINGS.find(([pattern]) => pattern.test(endpoint));
  if (misspelt) throw invalid(misspelt[1]);
  const url = toUrl(endpoint);
  if (!url || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '' || url.search || url.hash) {
    throw invalid('must be redis://host:port, rediss://host:port or host:port');
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (options.tls && url.protocol === 'redis:' && SCHEME.test(endpoint)) {
    throw invalid('begins with redis://, which contradicts tls: use rediss://, or host:port with tls');
  }
  const tls = url.protocol === 'rediss:' || options.tls === true;
  if (!tls && !LOOPBACK.test(host)) {
    throw invalid(
      "is not a loopback address, so it needs TLS: use a rediss:// URL, or tls with host:port, or a 'client', whose own options decide about TLS",
    );
  }
  const db = url.pathname.replace(/^\//, '');
  if (url.port === '0') throw invalid('has port 0: give the port of the server');
  if (!/^\d{0,9}$/.test(db)) throw invalid('has a path that is not a database number');
  return {
    host,
    port: url.port === '' ? option.defaultPort : Number(url.port),
    tls,
    ...loginFor(endpoint, url, options, invalid),
    ...(db !== '' && { db: Number(db) }),
  };
}

/** Common mistakes and how to correct each. The first match decides the message. */
const MISSPELLINGS: ReadonlyArray<readonly [pattern: RegExp, fault: string]> = [
  [
    /^(export\s+)?\w+\s*=\s*(['"]|rediss?:|REDISS?:)|^[A-Z][A-Z0-9]*_[A-Z0-9_]*=/,
    'begins with a name and =, like a line of an environment file: give only the part after the =',
  ],
  [/^['"`]|['"`]$/, 'is in quotes: remove the quotes'],
  [/\s/, 'contains white space: remove it, or write %20 if it belongs to a username or password'],
  [
    /^(unix|redis\+socket|redis-socket):|^\/(?!\/)/i,
    "is a Unix socket, which the store cannot open itself: give host:port, or a 'client' that is connected to the socket",
  ],
  [
    /^(?:[a-z][a-z0-9+.-]*:\/\/|(?!.*:\/\/))[^/?#]*[/?#].*@/i,
    "has a / or ? or # before its @: in a username or password write %2F, %3F and %23, or use host:port with the options 'username' and 'password'",
  ],
];

type Login = Pick<ValkeyEndpoint, 'username' | 'password'>;
type Invalid = (fault: string) => AplSessionError;

function loginFor(endpoint: string, url: URL, { username, password }: EndpointOptions, invalid: Invalid): Login {
  const inUrl = url.username !== '' || url.password !== '';
  if (username !== undefined || password !== undefined) {
    if (inUrl || SCHEME.test(endpoint)) {
      throw invalid('is a URL, so the credentials must be in the URL: remove username and password, or the scheme');
    }
    if (password === undefined) throw invalid('has a username without a password');
    return { ...(username !== undefined && { username }), password };
  }
  if (url.username !== '' && url.password === '') throw invalid('has a username without a password');
  return {
    ...(url.username !== '' && { username: decode(url.username, invalid) }),
    ...(url.password !== '' && { password: decode(url.password, invalid) }),
  };
}

/** The parts of an endpoint, each in its correct form. */
const PARTS =
  /^(?<scheme>rediss?:\/\/)?(?:(?<login>[^/?#]*)@)?(?<host>\[[0-9a-f:.]+\]|[a-z0-9][a-z0-9._-]*)(?<port>:\d{1,5})?(?<rest>[/?#].*)?$/is;

/**
 * Returns the endpoint with `***` for every part that may be a credential. In a wrong endpoint that is nearly every
 * part: `user:5555` may be a login whose host is missing, and in `user:a@b:6379` the password may be `a@b`.
 */
export function redactEndpoint(endpoint: string): string {
  const { scheme, login, host = '', port = '', rest = '' } = PARTS.exec(endpoint)?.groups ?? {};
  const isCertain = isAddress(host) || (login === undefined && port === `:${VALKEY_PORT}`);
  const isName = login === undefined && host.includes('.');
  if (host === '' || rest.includes('@') || !(isCertain || isName)) {
    return `${/^rediss?:\/\//i.exec(endpoint)?.[0] ?? ''}***`;
  }
  const shownPort = isCertain || port === '' ? port : ':***';
  const shownRest = /^(\/\d{0,2})?$/.test(rest) ? rest : `${rest.slice(0, 1)}***`;
  return `${scheme ?? ''}${login === undefined ? '' : '***@'}${host}${shownPort}${shownRest}`;
}

/** `new URL('host:port')` takes the host for a scheme, so a scheme is added. */
function toUrl(endpoint: string): URL | undefined {
  const text = SCHEME.test(endpoint) ? endpoint : `redis://${endpoint}`;
  return URL.canParse(text) ? new URL(text) : undefined;
}

function decode(part: string, invalid: Invalid): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid('has credentials that are not percent-encoded: write % as %25');
  }
}

/** The error for an address in an option. The message never shows a part that may be a credential. */
export function invalidAddress(option: string, address: string, fault: string): AplSessionError {
  return invalidConfig('ValkeySessionStore', `${option} '${redactEndpoint(address)}' ${fault}`);
}
