import { CountingProxy } from '../../support/counting-proxy.js';
import { eventually } from '../../support/eventually.js';
import type { ValkeyNode } from '../../support/valkey-group.js';
import type { SentinelTopology, Topology } from '../../support/valkey-topologies.js';
import { type CrashEvent, type Damage, KEPT, type Scene, type Stage } from './crash-event.js';
import { durabilityOf, type FeatureSet } from './feature-sets.js';
import { type Promotion, promotionOf } from './promotion-watch.js';
import { keyOf, missingIn } from './stored-labels.js';

/** How much later a replica behind a slow network gets what its primary has executed. */
const DELAY_MS = 200;
/** How many labels must be acknowledged by the new primary. */
const AFTERWARDS = 100;
const SLOTS_OF_ONE_PRIMARY = 16_384 / 3;

interface Failover {
  /** One of them becomes the primary. */
  readonly replicas: readonly ValkeyNode[];
  begin(): Promise<unknown>;
  /** Called when the new primary is there. */
  repair(): Promise<void>;
}

/** Begins a failover, and resolves when it is over for the app. */
async function failOver({ load }: Stage, { replicas, begin, repair }: Failover): Promise<FailedOver> {
  const [{ stored, firstWriteMs }] = await Promise.all([promotionOf(replicas), begin()]);
  await repair();
  const servedFromMs = await firstWriteMs;
  await load.acknowledges(AFTERWARDS);
  return { stored, servedFromMs };
}

interface FailedOver {
  /** What the new primary had when it was promoted. */
  readonly stored: Promotion['stored'];
  /** When a client has written to it for the first time. */
  readonly servedFromMs: number;
}

/** The missing labels are those that the new primary did not have when it was promoted, and those that it lost later. */
async function damageOf(
  { load, observer }: Stage,
  topology: Topology,
  { stored, servedFromMs }: FailedOver,
): Promise<Damage> {
  await load.stop();
  await topology.settled();
  const acknowledged = [...load.acknowledged];
  const missing = new Set(await missingIn(observer, acknowledged));
  for (const one of acknowledged) {
    // the old primary has acknowledged what came before the first write of a client to the new one
    if (one.atMs < servedFromMs && !stored.get(keyOf(one.session))?.has(one.label)) missing.add(one);
  }
  return { acknowledged, missing: [...missing] };
}

/** Removes all labels, and configures the servers for the store. */
async function prepare(topology: Topology, { isDurable }: FeatureSet): Promise<void> {
  await topology.settled();
  await topology.flush();
  for (const { admin } of topology.servers) {
    await admin.config('SET', 'appendfsync', 'always', 'appendonly', isDurable ? 'yes' : 'no');
  }
  for (const { admin } of topology.servers) {
    // an append-only file is complete when it was written as a whole
    await eventually(async () => /aof_rewrite_in_progress:0\s+aof_rewrite_scheduled:0/.test(await admin.info()), {
      withinMs: 30_000,
    });
  }
}

interface SentinelEvent {
  readonly title: string;
  readonly claims: CrashEvent['claims'];
  readonly cause: 'command' | 'kill';
  readonly isDelayed?: boolean;
}

function onSentinels({ title, claims, cause, isDelayed }: SentinelEvent): CrashEvent {
  return {
    title,
    claims,
    async open(lab, features): Promise<Scene> {
      const topology = await lab.sentinels();
      await prepare(topology, features);
      const primary = await topology.primaryOf('');
      const replicas = topology.servers.filter((server) => server !== primary);
      const proxy = isDelayed ? await delayReplication(topology, primary, replicas) : undefined;
      const begin = (): Promise<unknown> =>
        cause === 'kill'
          ? primary.kill()
          : (topology.sentinels[0] as ValkeyNode).admin.call('SENTINEL', 'FAILOVER', 'labels');
      const repair = async (): Promise<void> => {
        if (cause === 'kill') await topology.revive(primary);
      };
      return {
        store: { ...topology.options, ...durabilityOf(features, 2) },
        async happen(stage) {
          const failovers: FailedOver[] = [];
          await topology.withFailovers(async () => {
            failovers.push(await failOver(stage, { replicas, begin, repair }));
          });
          return damageOf(stage, topology, failovers[0] as FailedOver);
        },
        async close() {
          await proxy?.close();
          await setFailoverTimeout(topology, 2_000);
        },
      };
    },
  };
}

/** The replicas get what the primary sends to them only after a while. */
async function delayReplication(
  topology: SentinelTopology,
  { port }: ValkeyNode,
  replicas: readonly ValkeyNode[],
): Promise<CountingProxy> {
  const proxy = await CountingProxy.start({ url: `redis://127.0.0.1:${port}`, host: '127.0.0.1', port });
  proxy.latencyMs = DELAY_MS;
  // after this time a Sentinel would connect the replicas to the primary again
  await setFailoverTimeout(topology, 30_000);
  for (const replica of replicas) {
    await replica.admin.call('REPLICAOF', '127.0.0.1', new URL(proxy.url).port);
    await isConnected(replica);
  }
  return proxy;
}

/** Waits until a replica gets what its primary executes. */
async function isConnected({ admin }: ValkeyNode): Promise<void> {
  await eventually(async () => (await admin.info('replication')).includes('master_link_status:up'), {
    withinMs: 30_000,
  });
}

async function setFailoverTimeout({ sentinels }: SentinelTopology, ms: number): Promise<void> {
  for (const { admin } of sentinels) await admin.call('SENTINEL', 'SET', 'labels', 'failover-timeout', String(ms));
}

interface ClusterEvent {
  readonly title: string;
  readonly claims: CrashEvent['claims'];
  readonly cause: readonly ['kill'] | readonly ['CLUSTER', 'FAILOVER', ...string[]];
}

function onCluster({ title, claims, cause: [cause, ...args] }: ClusterEvent): CrashEvent {
  return {
    title,
    claims,
    async open(lab, features): Promise<Scene> {
      const topology = await lab.cluster();
      await prepare(topology, features);
      const [session = ''] = await topology.sessions();
      const primary = await topology.primaryOf(session);
      const replica = await topology.replicaOf(session);
      await isConnected(replica);
      const third = Math.floor(topology.slotOf(session) / SLOTS_OF_ONE_PRIMARY);
      return {
        store: { ...topology.options, ...durabilityOf(features, 1) },
        // only the labels of this primary can be lost
        accepts: (other) => Math.floor(topology.slotOf(other) / SLOTS_OF_ONE_PRIMARY) === third,
        async happen(stage) {
          const begin = (): Promise<unknown> =>
            cause === 'kill' ? primary.kill() : replica.admin.call(cause, ...args);
          const repair = async (): Promise<void> => {
            if (cause === 'kill') await topology.revive(primary);
          };
          return damageOf(stage, topology, await failOver(stage, { replicas: [replica], begin, repair }));
        },
        async close() {},
      };
    },
  };
}

/** Durable labels are on all replicas before they are acknowledged. */
const LOST = {
  'no memory': 'lost',
  'memory of the process': 'healed',
  '`durability`': 'kept',
  '`enrolled`': 'may be lost',
  'all of these': 'kept',
} as const;
const MOMENT = { ...LOST, 'no memory': 'may be lost', 'memory of the process': 'nothing lost' } as const;

export const FAILOVER_EVENTS: readonly CrashEvent[] = [
  onSentinels({ title: '`SENTINEL FAILOVER`', cause: 'command', claims: LOST }),
  onSentinels({ title: '`SENTINEL FAILOVER`, replicas 0.2 s behind', cause: 'command', isDelayed: true, claims: LOST }),
  onSentinels({ title: 'Sentinel, kill -9 of the primary', cause: 'kill', claims: MOMENT }),
  onSentinels({
    title: 'Sentinel, kill -9 of the primary, replicas 0.2 s behind',
    cause: 'kill',
    isDelayed: true,
    claims: LOST,
  }),
  onCluster({ title: '`CLUSTER FAILOVER`', cause: ['CLUSTER', 'FAILOVER'], claims: KEPT }),
  onCluster({ title: '`CLUSTER FAILOVER TAKEOVER`', cause: ['CLUSTER', 'FAILOVER', 'TAKEOVER'], claims: MOMENT }),
  onCluster({ title: 'Cluster, kill -9 of a primary', cause: ['kill'], claims: MOMENT }),
];
