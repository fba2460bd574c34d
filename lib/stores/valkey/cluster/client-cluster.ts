import { type ClientOptions, type ClusterClient, invalidClient } from '../config/valkey-client.js';
import { loginIn, verifiedTls } from '../connection/client-source.js';
import { dialServer } from '../connection/dial-server.js';
import { type ClusterSettings, type NodeAddress, nameOf } from './node-address.js';

const DEFAULT: NodeAddress = { host: '127.0.0.1', port: 6379 };

/**
 * Reads the options of a cluster client once. Only username and password are read again for each connection.
 * @throws AplSessionError `config.invalid`
 */
export function clientCluster(client: ClusterClient): ClusterSettings {
  const { redisOptions = {}, natMap } = client.options;
  const seeds = Array.isArray(client.startupNodes) ? client.startupNodes.map(seedIn) : [];
  if (seeds.length === 0) throw invalidClient('needs startup nodes');
  if (typeof redisOptions.tls === 'string')
    throw invalidClient('has the name of a TLS profile in redisOptions.tls; give the options themselves');
  const tls = verifiedTls(redisOptions.tls);
  if (!tls && seeds.some(({ login }) => login.tls)) {
    throw invalidClient('has a startup node with TLS, but redisOptions.tls is missing; set it for the other nodes');
  }
  const { family } = redisOptions;
  const login = (address: NodeAddress): ClientOptions => {
    const own = seeds.find((seed) => nameOf(seed) === nameOf(address));
    return { ...own?.login, ...loginIn(client.options.redisOptions ?? {}) };
  };
  return {
    seeds,
    reachable: natMapper(typeof natMap === 'object' && natMap !== null ? { ...natMap } : natMap),
    source: (address) => ({
      // a replica of a cluster redirects all calls to its primary
      acceptsReplica: true,
      loopbackOnly: false,
      login: async () => loginIn(login(address)),
      dial: () => dialServer({ ...address, ...(typeof family === 'number' && { family }) }, tls),
    }),
  };
}

function seedIn(node: unknown): NodeAddress & { readonly login: ClientOptions } {
  if (typeof node === 'number') return { ...DEFAULT, port: node, login: {} };
  if (typeof node === 'object' && node !== null) {
    const { host, port, username, password, tls } = node as Partial<NodeAddress> & ClientOptions;
    return { host: host || DEFAULT.host, port: Number(port) || DEFAULT.port, login: { username, password, tls } };
  }
  const text = String(node);
  const address = text.includes('://') ? text : `redis://${text}`;
  if (!URL.canParse(address)) throw invalidClient('has a startup node that is not a URL and not host:port');
  const url = new URL(address);
  const [username, password] = [decoded(url.username), decoded(url.password)];
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1') || DEFAULT.host;
  const tls = url.protocol === 'rediss:';
  return { host, port: Number(url.port) || DEFAULT.port, login: { username, password, tls } };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalidClient('has a startup node whose credentials are not percent-encoded; write % as %25');
  }
}

function natMapper(natMap: unknown): ClusterSettings['reachable'] {
  return (address) => {
    const name = nameOf(address);
    const { host, port } = (mapped(natMap, name) ?? {}) as { host?: unknown; port?: unknown };
    return typeof host === 'string' && host !== '' && Number(port) > 0 ? { host, port: Number(port) } : address;
  };
}

function mapped(natMap: unknown, name: string): unknown {
  try {
    return typeof natMap === 'function' ? natMap(name) : (natMap as Record<string, unknown> | undefined)?.[name];
  } catch {
    // natMap is a function of the app; if it throws, the address stays as it is
    return undefined;
  }
}
