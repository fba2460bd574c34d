import ioredis6 from 'ioredis';
import ioredis5 from 'ioredis5';
import iovalkey from 'iovalkey';
import { sha256Hex } from '../../lib/session/digest.js';
import { slotOf } from '../../lib/stores/valkey/cluster/slot-of.js';
import type { ValkeySessionStoreOptions } from '../../lib/valkey.js';
import { introduce, slotsOfPrimary, startClusterNode } from './cluster-nodes.js';
import { CountingProxy } from './counting-proxy.js';
import { eventually } from './eventually.js';
import {
  CLUSTER_RIGHTS,
  GroupSecurity,
  LABELS_USER,
  SENTINEL_CLIENT_RIGHTS,
  SENTINEL_CREDENTIALS,
  SENTINEL_RIGHTS,
  VALKEY_RIGHTS,
} from './group-security.js';
import { countLabelCommands, deniedBy } from './node-counts.js';
import { describeWithValkeyGroup, type ValkeyGroup, type ValkeyNode } from './valkey-group.js';

export interface Login {
  readonly username: string;
  readonly password: string;
}

/** One of the ways in which a store can be told where Valkey is. */
export interface Way {
  readonly name: string;
  readonly servers: 'one' | 'sentinels' | 'cluster';
  readonly isSecure: boolean;
  /** The library of the client that the store gets. */
  readonly library?: string;
  /** How to connect through the proxies, as the user with the documented rights or as another one. */
  setup(all: WaysToConnect, login?: Login): Setup;
}

/** The options of a store, or the arguments of the constructor of a client; as JSON, so that a child process can have them. */
export type Setup =
  | { readonly options: ValkeySessionStoreOptions }
  | { readonly module: string; readonly member: 'default' | 'Cluster'; readonly args: readonly unknown[] };

/**
 * One server, and a cluster of three primaries. Three Sentinels name the server to clients in plain text, three others
 * to clients with TLS. No test here is about failovers, so no replica takes over.
 */
export interface WaysToConnect {
  addresses(isSecure: boolean): Addresses;
  /** The server of all ways without a cluster, and the primary of the cluster that has the labels of {@link sessions}. */
  readonly primaries: readonly [server: ValkeyNode, member: ValkeyNode];
  /** Another server, which can become the primary of the server. */
  readonly other: ValkeyNode;
  /** All servers that may have labels. */
  readonly servers: readonly ValkeyNode[];
  /** In front of all servers, as their addresses are told. */
  readonly proxies: readonly CountingProxy[];
  /** The proxies in front of the nodes of the cluster without labels. */
  readonly proxiesOfOtherNodes: readonly CountingProxy[];
  /** A key of another kind than those with labels, in the slots of the member. */
  readonly fillerTag: string;
  /** Ids of sessions in the slots of the member. */
  sessions(count: number): string[];
  flush(): Promise<void>;
  /** Gives a user these rights on all servers, until `removeUser`. */
  setUser(login: Login, rules: readonly string[]): Promise<void>;
  /** Removes it, and forgets what was denied. */
  removeUser(login: Login): Promise<void>;
  /** How many commands with labels the servers execute during an action. */
  countCommands(action: () => Promise<unknown>): Promise<number>;
  /** The entries in the ACL logs of all processes. */
  denied(): Promise<string[]>;
  close(): Promise<void>;
}

const SERVER = ['--save', '', '--enable-debug-command', 'yes'];
/** No outage of a test lasts long enough for the others to notice it. */
const CLUSTER = ['--cluster-require-full-coverage', 'no'];
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always', '--repl-diskless-sync-delay', '0'];
/** The Sentinels never replace the server. */
const DOWN_AFTER_MS = '600000';
/** Two servers, six Sentinels and three nodes. */
const SIZE = 11;

export interface WaysOptions {
  /**
   * The server and the member of the cluster have a replica each, and all servers write to their disks. Sentinels are then
   * there for clients in plain text only: both kinds would tell the replica different addresses of its primary.
   */
  readonly isDurable?: boolean;
}

/** A suite on servers that can be reached in all ways. */
export function describeWithAllWays(
  title: string,
  define: (all: () => WaysToConnect) => void,
  options: WaysOptions = {},
): void {
  let security: GroupSecurity;
  const files = () => {
    security = new GroupSecurity();
    return security.files();
  };
  const inner = (group: () => ValkeyGroup): void => {
    let all: WaysToConnect;
    before('starts a server, six Sentinels and a cluster', async function () {
      this.timeout(60_000);
      all = await startWays(group(), security, options);
    });
    after(() => all?.close());
    define(() => all);
  };
  // primaries announce the addresses of the proxies, so the replicas connect to the proxies
  describeWithValkeyGroup(title, SIZE, inner, files, { reachesTests: options.isDurable === true });
}

/** A server and the proxies in front of its two ports. */
interface Site {
  readonly node: ValkeyNode;
  readonly plain: CountingProxy;
  readonly secure: CountingProxy;
}

async function startWays(
  group: ValkeyGroup,
  security: GroupSecurity,
  { isDurable = false }: WaysOptions,
): Promise<WaysToConnect> {
  const args = isDurable ? [...SERVER, ...DURABLE] : SERVER;
  const siteOf = async (node: ValkeyNode): Promise<Site> => {
    const to = (port: number): Promise<CountingProxy> =>
      CountingProxy.start({ url: node.url, host: '127.0.0.1', port });
    return { node, plain: await to(node.port), secure: await to(node.peerPort) };
  };
  const server = await siteOf(await group.start(...args));
  await addUser(server.node, LABELS_USER, VALKEY_RIGHTS);
  const plainSentinels = await startSentinels(group, server.plain, ['--tls-replication', 'no']);
  const secureSentinels = isDurable ? [] : await startSentinels(group, server.secure, []);
  const cluster = await startCluster(group, siteOf, args);
  if (isDurable) await addReplicas(group, server, cluster, args);
  const sites = [server, ...cluster];
  const [member] = cluster;
  const sentinels = [...plainSentinels, ...secureSentinels];
  const servers = sites.map(({ node }) => node);
  const proxies = sites.flatMap(({ plain, secure }) => [plain, secure]);
  return {
    addresses: (isSecure) =>
      isSecure
        ? { server: server.secure, sentinels: secureSentinels, cluster: cluster.map(({ secure }) => secure), security }
        : { server: server.plain, sentinels: plainSentinels, cluster: cluster.map(({ plain }) => plain) },
    primaries: [server.node, (member as Site).node],
    other: await group.start(...SERVER),
    servers,
    proxies,
    proxiesOfOtherNodes: cluster.slice(1).flatMap(({ plain, secure }) => [plain, secure]),
    fillerTag: tagOfFirstNode(),
    sessions(count) {
      const ids: string[] = [];
      for (let index = 0; ids.length < count; index += 1) {
        const id = `session-of-alice-${index}`;
        if (isOfFirstNode(`taint:v1:${sha256Hex(id)}`)) ids.push(id);
      }
      return ids;
    },
    async flush() {
      await Promise.all(servers.map(({ admin }) => admin.flushall()));
    },
    async setUser({ username, password }, rules) {
      const command = ['ACL', 'SETUSER', username, 'reset', 'on', `>${password}`, ...rules] as const;
      await Promise.all(servers.map(({ admin }) => admin.call(...command)));
    },
    async removeUser({ username }) {
      for (const { admin } of servers) {
        await admin.call('ACL', 'DELUSER', username);
        await admin.call('ACL', 'LOG', 'RESET');
      }
    },
    countCommands: (action) => countLabelCommands(servers, action),
    denied: () => deniedBy([...servers, ...sentinels]),
    async close() {
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
}

/** The user survives a restart of the server. */
async function addUser({ admin }: ValkeyNode, { username, password }: Login, rights: readonly string[]): Promise<void> {
  await admin.call('ACL', 'SETUSER', username, 'reset', 'on', `>${password}`, ...rights);
  await admin.call('CONFIG', 'REWRITE');
}

async function startSentinels(
  group: ValkeyGroup,
  server: CountingProxy,
  args: readonly string[],
): Promise<ValkeyNode[]> {
  const sentinels = await Promise.all([1, 2, 3].map(() => group.start('--sentinel', ...args)));
  // other names, because all six meet on the server
  const name = nameOf(server);
  const login = { username: SENTINEL_CREDENTIALS.sentinelUsername, password: SENTINEL_CREDENTIALS.sentinelPassword };
  for (const { admin } of sentinels) {
    const rights = [...SENTINEL_RIGHTS, ...SENTINEL_CLIENT_RIGHTS];
    await admin.call('ACL', 'SETUSER', login.username, 'reset', 'on', `>${login.password}`, ...rights);
    await admin.call('SENTINEL', 'MONITOR', name, '127.0.0.1', String(portOf(server)), '2');
    await admin.call('SENTINEL', 'SET', name, 'down-after-milliseconds', DOWN_AFTER_MS);
  }
  return sentinels;
}

/** Three primaries, which tell clients the addresses of the proxies. */
async function startCluster(
  group: ValkeyGroup,
  siteOf: (node: ValkeyNode) => Promise<Site>,
  args: readonly string[],
): Promise<Site[]> {
  const starting = [0, 1, 2].map(async (index) => {
    const { node, busPort } = await startClusterNode(group, index, [...args, ...CLUSTER]);
    const site = await siteOf(node);
    const { admin } = node;
    await admin.config('SET', 'cluster-announce-port', portOf(site.plain));
    await admin.config('SET', 'cluster-announce-tls-port', portOf(site.secure));
    await addUser(node, LABELS_USER, [...VALKEY_RIGHTS, ...CLUSTER_RIGHTS]);
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', ...slotsOfPrimary(index));
    return { site, busPort };
  });
  const started = await Promise.all(starting);
  await introduce(started.map(({ site: { node }, busPort }) => ({ node, busPort })));
  await eventually(
    async () => {
      for (const { site } of started) await assertComplete(site.node, started.length);
    },
    { withinMs: 30_000, everyMs: 50 },
  );
  return started.map(({ site }) => site);
}

/** A replica of the server, and one of the first node, which never take over. */
async function addReplicas(
  group: ValkeyGroup,
  server: Site,
  [member]: readonly Site[],
  args: readonly string[],
): Promise<void> {
  const primary = `127.0.0.1 ${portOf(server.plain)}`;
  await group.start(...args, '--tls-replication', 'no', '--replicaof', primary, '--replica-priority', '0');
  const options = [...args, ...CLUSTER, '--cluster-replica-no-failover', 'yes'];
  const { node: replica, busPort } = await startClusterNode(group, 3, options);
  const { node: first } = member as Site;
  const { admin } = first;
  await introduce([
    { node: first, busPort: 0 },
    { node: replica, busPort },
  ]);
  const id = String(await admin.call('CLUSTER', 'MYID'));
  const patience = { withinMs: 30_000, everyMs: 50 };
  await eventually(() => replica.admin.call('CLUSTER', 'REPLICATE', id), patience);
  for (const { node } of [server, member as Site]) {
    await eventually(async () => (await node.admin.info('replication')).includes('state=online'), patience);
  }
}

async function assertComplete({ admin }: ValkeyNode, nodes: number): Promise<void> {
  const ranges = (await admin.call('CLUSTER', 'SLOTS')) as unknown[];
  const info = String(await admin.call('CLUSTER', 'INFO'));
  if (ranges.length !== nodes || !info.includes('cluster_state:ok')) throw new Error('The cluster is not complete.');
}

function isOfFirstNode(key: string): boolean {
  const slot = slotOf(key);
  const [from, to] = slotsOfPrimary(0);
  return slot >= from && slot <= to;
}

function tagOfFirstNode(): string {
  for (let index = 0; ; index += 1) if (isOfFirstNode(`{${index}}`)) return `{${index}}`;
}

function portOf(proxy: CountingProxy): number {
  return Number(new URL(proxy.url).port);
}

/** The name under which Sentinels know the server behind a proxy. */
function nameOf(proxy: CountingProxy): string {
  return `labels-${portOf(proxy)}`;
}

/** Where clients connect to. */
interface Addresses {
  readonly server: CountingProxy;
  readonly sentinels: readonly ValkeyNode[];
  readonly cluster: readonly CountingProxy[];
  readonly security?: GroupSecurity;
}

type ClientClass = new (...args: readonly unknown[]) => object;
type ClientModule = { readonly default: ClientClass; readonly Cluster: ClientClass };

const LIBRARIES: ReadonlyArray<{ readonly library: string; readonly module: string }> = [
  { library: 'ioredis 6', module: 'ioredis' },
  { library: 'ioredis 5', module: 'ioredis5' },
  { library: 'iovalkey', module: 'iovalkey' },
];

const MODULES = { ioredis: ioredis6, ioredis5, iovalkey } as unknown as Readonly<Record<string, ClientModule>>;

/** The options with which a store connects. */
export function optionsOf(setup: Setup): ValkeySessionStoreOptions {
  if ('options' in setup) return setup.options;
  const Client = MODULES[setup.module]?.[setup.member];
  if (!Client) throw new Error(`${setup.module} is not one of the clients.`);
  return { client: new Client(...setup.args) };
}

/** Each way in plain text, and with TLS and the user that has the documented rights. */
export const WAYS: readonly Way[] = [false, true].flatMap((isSecure) => {
  const manner = isSecure ? 'TLS and ACL' : 'plain text';
  const clients = LIBRARIES.flatMap((library) => clientWays(library, isSecure));
  return [...ownWays(isSecure), ...clients].map((way) => ({ ...way, name: `${way.name}, ${manner}` }));
});

function ownWays(isSecure: boolean): Way[] {
  return [
    {
      name: 'endpoint',
      servers: 'one',
      isSecure,
      setup: (all, login) => ({
        options: { endpoint: hostPort(portOf(all.addresses(isSecure).server)), ...access(all, isSecure, login) },
      }),
    },
    {
      name: 'sentinels',
      servers: 'sentinels',
      isSecure,
      setup: (all, login) => ({
        options: {
          sentinels: sentinelPorts(all, isSecure).map(hostPort),
          name: nameOf(all.addresses(isSecure).server),
          ...access(all, isSecure, login),
          ...(isSecure && SENTINEL_CREDENTIALS),
        },
      }),
    },
    {
      name: 'nodes',
      servers: 'cluster',
      isSecure,
      setup: (all, login) => ({
        options: {
          nodes: all.addresses(isSecure).cluster.map((node) => hostPort(portOf(node))),
          ...access(all, isSecure, login),
        },
      }),
    },
  ];
}

/** The clients are never connected: a store opens its own connections. */
function clientWays({ library, module }: (typeof LIBRARIES)[number], isSecure: boolean): Way[] {
  return [
    {
      name: `client of ${library}`,
      servers: 'one',
      isSecure,
      library,
      setup(all, login) {
        const address = local(portOf(all.addresses(isSecure).server));
        const options = { ...address, ...access(all, isSecure, login), lazyConnect: true };
        return { module, member: 'default', args: [options] };
      },
    },
    {
      name: `client of ${library} with Sentinels`,
      servers: 'sentinels',
      isSecure,
      library,
      setup(all, login) {
        const { server, security } = all.addresses(isSecure);
        const options = {
          sentinels: sentinelPorts(all, isSecure).map(local),
          name: nameOf(server),
          failoverDetector: true,
          ...access(all, isSecure, login),
          ...(isSecure && SENTINEL_CREDENTIALS),
          ...(security && { sentinelTLS: security.options.tls, enableTLSForSentinelMode: true }),
          lazyConnect: true,
        };
        return { module, member: 'default', args: [options] };
      },
    },
    {
      name: `cluster client of ${library}`,
      servers: 'cluster',
      isSecure,
      library,
      setup(all, login) {
        const nodes = all.addresses(isSecure).cluster.map((node) => local(portOf(node)));
        const options = { redisOptions: access(all, isSecure, login), lazyConnect: true };
        return { module, member: 'Cluster', args: [nodes, options] };
      },
    },
  ];
}

function access(all: WaysToConnect, isSecure: boolean, login: Login | undefined): ValkeySessionStoreOptions {
  const { security } = all.addresses(isSecure);
  const { tls } = security?.options ?? {};
  return { ...(tls && { tls }), ...(login ?? (isSecure && LABELS_USER)) };
}

/** A process of a group with certificates has two ports. */
function sentinelPorts(all: WaysToConnect, isSecure: boolean): number[] {
  return all.addresses(isSecure).sentinels.map(({ port, peerPort }) => (isSecure ? peerPort : port));
}

function local(port: number): { readonly host: string; readonly port: number } {
  return { host: '127.0.0.1', port };
}

function hostPort(port: number): string {
  return `127.0.0.1:${port}`;
}
