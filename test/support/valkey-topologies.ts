import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { sha256Hex } from '../../lib/session/digest.js';
import { slotOf } from '../../lib/stores/valkey/cluster/slot-of.js';
import type { ValkeySessionStoreOptions } from '../../lib/valkey.js';
import { type ClusterNode, introduce, slotsOfPrimary, startClusterNode } from './cluster-nodes.js';
import { eventually } from './eventually.js';
import {
  CLUSTER_RIGHTS,
  type GroupSecurity,
  LABELS_USER,
  SENTINEL_CREDENTIALS,
  SENTINEL_RIGHTS,
  VALKEY_RIGHTS,
  WAIT_RIGHT,
} from './group-security.js';
import { countLabelCommands, deniedBy } from './node-counts.js';
import type { ValkeyGroup, ValkeyNode } from './valkey-group.js';

const SERVER = ['--save', '', '--repl-diskless-sync-delay', '0'];
const CLUSTER = [...SERVER, '--cluster-node-timeout', '1000'];
const PRIMARY_NAME = 'labels';
/** The times between questions of a Sentinel, in milliseconds. Short ones let the processes find each other sooner. */
const SHORT_PERIODS = ['info-period', '200', 'publish-period', '200'];
const DEFAULT_PERIODS = ['info-period', '10000', 'publish-period', '2000'];
const SETTLE = { withinMs: 30_000, everyMs: 50 };

/** Servers that tests can break, and the options of a store for them. */
export interface Topology {
  readonly options: ValkeySessionStoreOptions;
  /** The servers with labels. */
  readonly servers: readonly ValkeyNode[];
  readonly sentinels: readonly ValkeyNode[];
  /** Resolves when each primary has its replicas, and all processes agree about that. */
  settled(): Promise<void>;
  primaries(): Promise<ValkeyNode[]>;
  /** The primary that has the labels of a session. */
  primaryOf(session: string): Promise<ValkeyNode>;
  /** A replica of that primary. */
  replicaOf(session: string): Promise<ValkeyNode>;
  /** Starts a killed server again, as a replica. */
  revive(node: ValkeyNode): Promise<void>;
  /** Removes all labels. */
  flush(): Promise<void>;
  /** How many commands with labels the servers execute during an action. */
  countCommands(action: () => Promise<unknown>): Promise<number>;
  /** The entries in the ACL logs of all processes. */
  denied(): Promise<string[]>;
}

const addressOf = ({ peerPort }: ValkeyNode): string => `127.0.0.1:${peerPort}`;

/** The role of a server; a server that was stopped does not answer. */
async function roleOf({ admin }: ValkeyNode): Promise<string> {
  const answer = admin.info('replication').catch(() => '');
  const info = await Promise.race([answer, delay(500, '', { ref: false })]);
  return /role:(\w+)/.exec(info)?.[1] ?? 'down';
}

type Common = Pick<Topology, 'servers' | 'sentinels' | 'primaries' | 'flush' | 'countCommands' | 'denied'>;

/** The members that both topologies have. */
function common(servers: readonly ValkeyNode[], sentinels: readonly ValkeyNode[]): Common {
  const primaries = async (): Promise<ValkeyNode[]> => {
    const roles = await Promise.all(servers.map(roleOf));
    return servers.filter((_, index) => roles[index] === 'master');
  };
  return {
    servers,
    sentinels,
    primaries,
    async flush() {
      await Promise.all((await primaries()).map(({ admin }) => admin.flushall()));
    },
    countCommands: (action) => countLabelCommands(servers, action),
    denied: () => deniedBy([...servers, ...sentinels]),
  };
}

/** How long a primary must be silent before the Sentinels replace it, outside of the tests that want this. */
const PATIENT_MS = 60_000;

export interface SentinelTopology extends Topology {
  /**
   * During the action the Sentinels ask and publish as often as they do by default, and replace a primary that is silent
   * for a second. Before and after it they never do that, because a busy machine may silence a primary for a second.
   */
  withFailovers(action: () => Promise<void>): Promise<void>;
}

/** A primary with two replicas and three Sentinels. */
export async function startSentinels(group: ValkeyGroup, security?: GroupSecurity): Promise<SentinelTopology> {
  const replicating = ({ peerPort }: ValkeyNode): string[] => [...SERVER, '--replicaof', `127.0.0.1 ${peerPort}`];
  const first = await group.start(...SERVER);
  const replicas = await Promise.all([1, 2].map(() => group.start(...replicating(first))));
  for (const { admin } of security ? [first, ...replicas] : []) {
    const rights = [...VALKEY_RIGHTS, WAIT_RIGHT];
    await admin.call('ACL', 'SETUSER', LABELS_USER.username, 'on', `>${LABELS_USER.password}`, ...rights);
    // Sentinel does the same during a failover; the user must survive a restart in any case
    await admin.call('CONFIG', 'REWRITE');
  }
  const sentinels = await Promise.all([1, 2, 3].map(() => group.start('--sentinel')));
  for (const { admin } of sentinels) {
    const { sentinelUsername, sentinelPassword } = SENTINEL_CREDENTIALS;
    await admin.call('ACL', 'SETUSER', sentinelUsername, 'on', `>${sentinelPassword}`, ...SENTINEL_RIGHTS);
    await admin.call('SENTINEL', 'DEBUG', ...SHORT_PERIODS);
    await admin.call('SENTINEL', 'MONITOR', PRIMARY_NAME, '127.0.0.1', String(first.peerPort), '2');
    await admin.call(
      'SENTINEL',
      'SET',
      PRIMARY_NAME,
      'down-after-milliseconds',
      String(PATIENT_MS),
      'failover-timeout',
      '2000',
    );
  }
  const basis = common([first, ...replicas], sentinels);
  const primaryOf = async (): Promise<ValkeyNode> => {
    const [primary] = await basis.primaries();
    return primary ?? expect.fail('there is no primary');
  };
  const topology: SentinelTopology = {
    ...basis,
    async withFailovers(action) {
      const allowAfter = (ms: number): Promise<unknown> =>
        Promise.all(
          sentinels.map(({ admin }) =>
            admin.call('SENTINEL', 'SET', PRIMARY_NAME, 'down-after-milliseconds', String(ms)),
          ),
        );
      await Promise.all(sentinels.map(({ admin }) => admin.call('SENTINEL', 'DEBUG', ...DEFAULT_PERIODS)));
      await allowAfter(1_000);
      try {
        await action();
      } finally {
        await allowAfter(PATIENT_MS);
        await Promise.all(sentinels.map(({ admin }) => admin.call('SENTINEL', 'DEBUG', ...SHORT_PERIODS)));
      }
    },
    options: {
      sentinels: sentinels.map(addressOf),
      name: PRIMARY_NAME,
      ...(security && { ...security.options, ...SENTINEL_CREDENTIALS }),
    },
    primaryOf,
    async replicaOf() {
      const primary = await primaryOf();
      return basis.servers.find((server) => server !== primary) ?? expect.fail('there is no replica');
    },
    async revive(node) {
      await node.restart(replicating(await primaryOf()));
    },
    async settled() {
      await eventually(async () => {
        const [primary, ...others] = await basis.primaries();
        expect(others).to.have.length(0);
        await Promise.all(sentinels.map((sentinel) => assertWatched(sentinel, primary)));
      }, SETTLE);
    },
  };
  await topology.settled();
  return topology;
}

/** A Sentinel knows the primary, its two replicas and the two other Sentinels, and sees no fault. */
async function assertWatched({ admin }: ValkeyNode, primary: ValkeyNode | undefined): Promise<void> {
  const ask = async (what: string): Promise<string> => String(await admin.call('SENTINEL', what, PRIMARY_NAME));
  expect(await ask('GET-MASTER-ADDR-BY-NAME')).to.equal(`127.0.0.1,${primary?.peerPort}`);
  expect(await ask('CKQUORUM')).to.match(/^OK 3 usable/);
  expect(await ask('MASTER')).to.include('flags,master,');
  const replicas = await ask('REPLICAS');
  expect(replicas.match(/flags,slave,/g)).to.have.length(2);
  expect(replicas.match(/master-link-status,ok/g)).to.have.length(2);
  expect(replicas.match(new RegExp(`master-port,${primary?.peerPort}\\b`, 'g'))).to.have.length(2);
}

export interface ClusterTopology extends Topology {
  idOf(node: ValkeyNode): string;
  slotOf(session: string): number;
  /** A session on each primary. */
  sessions(): Promise<string[]>;
  primaryOfSlot(slot: number): Promise<ValkeyNode>;
  /** Moves a slot with its keys to another primary, as a resharding does. During the action the slot is moving. */
  moveSlot(slot: number, move: SlotMove, during?: () => Promise<void>): Promise<void>;
}

interface SlotMove {
  readonly source: ValkeyNode;
  readonly target: ValkeyNode;
  readonly keys: readonly string[];
}

/** A cluster of three primaries, each with a replica. */
export async function startCluster(group: ValkeyGroup, security?: GroupSecurity): Promise<ClusterTopology> {
  const { nodes, ids } = await makeCluster(group, security !== undefined);
  const basis = common(nodes, []);
  const idOf = (node: ValkeyNode): string => ids.get(node) ?? expect.fail('the node is not in the cluster');
  const slotOfSession = (session: string): number => slotOf(`taint:v1:${sha256Hex(session)}`);
  const primaryOfSlot = async (slot: number): Promise<ValkeyNode> => {
    for (const server of await basis.primaries()) {
      for (const [from, to, [, , id]] of await slotsOf(server)) {
        if (slot >= from && slot <= to && id === idOf(server)) return server;
      }
    }
    return expect.fail(`slot ${slot} has no primary`);
  };
  const primaryOf = (session: string): Promise<ValkeyNode> => primaryOfSlot(slotOfSession(session));
  const topology: ClusterTopology = {
    ...basis,
    options: { nodes: nodes.slice(0, 3).map(addressOf), ...security?.options },
    idOf,
    slotOf: slotOfSession,
    primaryOf,
    primaryOfSlot,
    async moveSlot(slot, { source, target, keys }, during = async () => {}) {
      const setSlot = (node: ValkeyNode, state: string, other: ValkeyNode): Promise<unknown> =>
        node.admin.call('CLUSTER', 'SETSLOT', slot, state, idOf(other));
      await setSlot(target, 'IMPORTING', source);
      await setSlot(source, 'MIGRATING', target);
      try {
        await during();
        for (const key of keys) await migrateKey(key, source, target);
      } finally {
        await setSlot(target, 'NODE', target);
        await setSlot(source, 'NODE', target);
      }
    },
    async replicaOf(session) {
      const id = idOf(await primaryOf(session));
      for (const server of nodes) {
        if (String(await server.admin.call('CLUSTER', 'NODES')).includes(`myself,slave ${id}`)) return server;
      }
      return expect.fail('the primary has no replica');
    },
    revive: (node) => node.restart(),
    async sessions() {
      const found = new Map<ValkeyNode, string>();
      for (let index = 0; found.size < 3; index += 1) found.set(await primaryOf(`s${index}`), `s${index}`);
      return [...found.values()];
    },
    async settled() {
      await eventually(async () => {
        const primaries = await basis.primaries();
        expect(primaries).to.have.length(3);
        for (const { admin } of primaries) expect(await admin.info('replication')).to.match(/slave0:.*state=online/);
        const maps = await Promise.all(nodes.map(mapSeenBy));
        for (const map of maps) expect(map).to.deep.equal(maps[0]);
      }, SETTLE);
    },
  };
  await topology.settled();
  return topology;
}

interface MadeCluster {
  readonly nodes: readonly ValkeyNode[];
  readonly ids: ReadonlyMap<ValkeyNode, string>;
}

async function makeCluster(group: ValkeyGroup, hasUser: boolean): Promise<MadeCluster> {
  const rights = [...VALKEY_RIGHTS, WAIT_RIGHT, ...CLUSTER_RIGHTS];
  const user = ['--user', LABELS_USER.username, 'on', `>${LABELS_USER.password}`, ...rights];
  const args = hasUser ? [...CLUSTER, ...user] : CLUSTER;
  const started: ClusterNode[] = await Promise.all(
    [0, 1, 2, 3, 4, 5].map((index) => startClusterNode(group, index, args)),
  );
  const nodes = started.map(({ node }) => node);
  const ids = await Promise.all(nodes.map(async ({ admin }) => String(await admin.call('CLUSTER', 'MYID'))));
  for (const [index, { admin }] of nodes.slice(0, 3).entries()) {
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', ...slotsOfPrimary(index));
  }
  await introduce(started);
  for (const [index, { admin }] of nodes.slice(3).entries()) {
    await eventually(() => admin.call('CLUSTER', 'REPLICATE', ids[index] ?? ''), SETTLE);
  }
  return { nodes, ids: new Map(nodes.map((node, index) => [node, ids[index] ?? ''])) };
}

/** Moves a key to another node of the cluster, as a part of the move of its slot. */
export async function migrateKey(key: string, source: ValkeyNode, target: ValkeyNode): Promise<void> {
  await source.admin.call('MIGRATE', '127.0.0.1', target.peerPort, key, '0', '5000');
}

type SlotNode = readonly [host: string, port: number, id: string];
type SlotRange = readonly [from: number, to: number, primary: SlotNode, ...replicas: SlotNode[]];

async function slotsOf({ admin }: ValkeyNode): Promise<readonly SlotRange[]> {
  return (await admin.call('CLUSTER', 'SLOTS')) as SlotRange[];
}

/** The primary of each range of slots, and how many nodes are up for it, as one node sees it. */
async function mapSeenBy(node: ValkeyNode): Promise<string[]> {
  expect(await node.admin.call('CLUSTER', 'INFO'))
    .to.include('cluster_state:ok')
    .and.include('cluster_known_nodes:6');
  const ranges = await slotsOf(node);
  return ranges.map(([from, to, ...nodes]) => [from, to, nodes[0][2], nodes.length].join(' ')).sort();
}
