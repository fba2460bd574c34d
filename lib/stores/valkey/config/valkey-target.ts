import type { AplSessionError } from '../../../contract/errors.js';
import { invalidConfig } from '../../../options/invalid-config.js';
import { parseServers, type ServerList } from './server-list.js';
import { assertUsableClient, invalidClient, type ValkeyClient } from './valkey-client.js';
import { parseValkeyEndpoint, VALKEY_PORT, type ValkeyEndpoint, type ValkeyPassword } from './valkey-endpoint.js';
import { parseValkeyTls, type ValkeyTls, type ValkeyTlsOptions } from './valkey-tls.js';

/** The options that say where Valkey is and how to log in. */
export interface TargetOptions {
  readonly endpoint?: string;
  readonly sentinels?: readonly string[];
  readonly name?: string;
  readonly nodes?: readonly string[];
  readonly client?: object;
  readonly tls?: boolean | ValkeyTlsOptions;
  readonly username?: string;
  readonly password?: ValkeyPassword;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: ValkeyPassword;
}

/** One server, the primary that Sentinels name, a cluster, or the servers of a client. */
export type ValkeyTarget =
  | { readonly endpoint: ValkeyEndpoint; readonly tls?: ValkeyTls }
  | SentinelTarget
  | { readonly nodes: ServerList; readonly tls?: ValkeyTls }
  | { readonly client: ValkeyClient };

export interface SentinelTarget {
  readonly sentinels: ServerList;
  /** The name under which the Sentinels know the primary. */
  readonly name: string;
  /** How to connect to the primary, whose address the Sentinels tell. */
  readonly primary: Omit<ServerList, 'addresses'>;
  readonly tls?: ValkeyTls;
}

const SENTINEL_PORT = 26_379;
const WAYS = ['endpoint', 'sentinels', 'nodes', 'client'] as const;
const CHOICE = "'endpoint' for one server, 'sentinels' and 'name' for Sentinel, 'nodes' for a cluster, or a 'client'";

/** @throws AplSessionError `config.invalid` unless the options have exactly one way to connect */
export function parseTarget(options: TargetOptions): ValkeyTarget {
  const given = WAYS.filter((way) => options[way] !== undefined);
  const [way] = given;
  if (way === undefined) throw invalid(`give ${CHOICE}`);
  if (given.length > 1) {
    const names = given.map((name) => `'${name}'`).join(' and ');
    throw invalid(`${names} exclude each other; keep one: ${CHOICE}`);
  }
  if (way !== 'sentinels') refuseSentinelOptions(options);
  if (way === 'client') return clientTarget(options);
  const { tls } = options;
  const details = typeof tls === 'object' ? { tls: parseValkeyTls(tls) } : {};
  if (way === 'sentinels') return { ...sentinelTarget(options), ...details };
  if (way === 'nodes') return { nodes: nodeList(options), ...details };
  return { endpoint: endpointOf(options), ...details };
}

function endpointOf({ endpoint = '', tls = false, username, password }: TargetOptions): ValkeyEndpoint {
  return Object.freeze(parseValkeyEndpoint(endpoint, { tls: tls !== false, username, password }));
}

function nodeList({ nodes = [], tls = false, username, password }: TargetOptions): ServerList {
  const option = { name: 'nodes', defaultPort: VALKEY_PORT, username: 'username', password: 'password' };
  return parseServers(nodes, { tls: tls !== false, username, password }, option);
}

function sentinelTarget(options: TargetOptions): SentinelTarget {
  const { sentinels: given = [], name, tls = false, username, password, sentinelUsername, sentinelPassword } = options;
  if (name === undefined) {
    throw invalid(
      "'sentinels' need a 'name': give the name of the primary in 'sentinel monitor' of their configuration",
    );
  }
  const option = {
    name: 'sentinels',
    defaultPort: SENTINEL_PORT,
    username: 'sentinelUsername',
    password: 'sentinelPassword',
  };
  const login = { username: sentinelUsername, password: sentinelPassword };
  const sentinels = parseServers(given, { tls: tls !== false, ...login }, option);
  if (username !== undefined && password === undefined) throw invalid("'username' needs a 'password'; give it too");
  const primary = {
    tls: sentinels.tls,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  };
  return { sentinels, name, primary: Object.freeze(primary) };
}

function refuseSentinelOptions(options: TargetOptions): void {
  for (const option of ['name', 'sentinelUsername', 'sentinelPassword'] as const) {
    if (options[option] === undefined) continue;
    throw invalid(`'${option}' belongs to 'sentinels'; give the addresses of the Sentinels, or remove it`);
  }
}

function clientTarget({ client, tls = false, username, password }: TargetOptions): ValkeyTarget {
  if (tls !== false || username !== undefined || password !== undefined) {
    throw invalidClient('has its own TLS and login; remove tls, username and password, or the client');
  }
  assertUsableClient(client);
  return { client };
}

function invalid(fault: string): AplSessionError {
  return invalidConfig('ValkeySessionStore', fault);
}
