import { invalidConfig } from '../../../options/invalid-config.js';
import {
  type AddressOption,
  type EndpointOptions,
  invalidAddress,
  parseValkeyEndpoint,
  type ValkeyEndpoint,
  type ValkeyPassword,
} from './valkey-endpoint.js';

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** The address for people. */
export function hostAndPort({ host, port }: ServerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Several servers with the same login. All of them use TLS, or none of them. */
export interface ServerList {
  readonly addresses: readonly ServerAddress[];
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: ValkeyPassword;
}

/** The option with the list, and the names of the options with its login, for messages. */
export interface ListOption extends AddressOption {
  readonly username: string;
  readonly password: string;
}

/** @throws AplSessionError `config.invalid` */
export function parseServers(list: readonly string[], options: EndpointOptions, option: ListOption): ServerList {
  const { username, password } = options;
  if (username !== undefined && password === undefined) {
    throw invalidConfig('ValkeySessionStore', `'${option.username}' needs a '${option.password}'; give it too`);
  }
  const servers = list.map((address) => parseServer(address, options.tls === true, option));
  const tls = servers.some((server) => server.tls);
  const plain = servers.findIndex((server) => !server.tls);
  if (tls && plain >= 0) {
    throw invalidAddress(option.name, list[plain] ?? '', 'has no TLS, but another address has; use rediss:// for all');
  }
  return Object.freeze({
    addresses: Object.freeze(servers.map(({ host, port }) => Object.freeze({ host, port }))),
    tls,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  });
}

function parseServer(address: string, tls: boolean, option: ListOption): ValkeyEndpoint {
  const server = parseValkeyEndpoint(address, { tls }, option);
  if (server.username !== undefined || server.password !== undefined) {
    const fault = `has credentials; remove them, and give '${option.username}' and '${option.password}' for all`;
    throw invalidAddress(option.name, address, fault);
  }
  if (server.db !== undefined && server.db !== 0) {
    throw invalidAddress(option.name, address, "has a database number; only an 'endpoint' or a 'client' may have one");
  }
  return server;
}
