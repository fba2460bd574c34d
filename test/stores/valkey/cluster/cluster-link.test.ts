import { expect } from 'chai';
import ioredis6 from 'ioredis';
import ioredis5 from 'ioredis5';
import iovalkey from 'iovalkey';
import type { Alarm } from '../../../../lib/contract/alarms.js';
import { AplSessionError } from '../../../../lib/contract/errors.js';
import { sha256Hex } from '../../../../lib/session/digest.js';
import { slotOf } from '../../../../lib/stores/valkey/cluster/slot-of.js';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../../../lib/valkey.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { describeWithValkeyGroup, type ValkeyNode } from '../../../support/valkey-group.js';

const ARGS = [
  '--cluster-enabled',
  'yes',
  '--cluster-node-timeout',
  '1000',
  '--save',
  '',
  '--repl-diskless-sync-delay',
  '0',
];
/** The slots of the three primaries; the fourth node is the replica of the first. */
const SLOTS = [
  [0, 5_460],
  [5_461, 10_922],
  [10_923, 16_383],
] as const;

interface ClusterClient {
  readonly status: string;
  disconnect(): void;
  on(event: 'error', listener: () => void): unknown;
}
type ClusterClass = new (nodes: readonly object[], options: object) => ClusterClient;

const CLIENTS: ReadonlyArray<readonly [name: string, client: ClusterClass]> = [
  ['ioredis 6', ioredis6.Cluster as unknown as ClusterClass],
  ['ioredis 5', ioredis5.Cluster as unknown as ClusterClass],
  ['iovalkey', iovalkey.Cluster as unknown as ClusterClass],
];

describeWithValkeyGroup('ValkeySessionStore on a cluster client', 4, (group) => {
  const nodes: ValkeyNode[] = [];
  const node = (index: number): ValkeyNode => nodes[index] ?? expect.fail(`there is no node ${index}`);
  /** A session of each primary. */
  let sessions: readonly [string, string, string];
  const idOf = new Map<ValkeyNode, string>();
  const open: Array<{ readonly client: ClusterClient; readonly store: ValkeySessionStore }> = [];

  const roleOf = async ({ admin }: ValkeyNode): Promise<string> =>
    /role:(\w+)/.exec(await admin.info('replication'))?.[1] ?? 'unknown';
  const primaries = async (): Promise<ValkeyNode[]> => {
    const roles = await Promise.all(nodes.map(roleOf));
    return nodes.filter((_, index) => roles[index] === 'master');
  };
  /** The two that hold the slots of the first session. */
  const pair = async (): Promise<{ readonly old: ValkeyNode; readonly successor: ValkeyNode }> => {
    const firstIsPrimary = (await roleOf(node(0))) === 'master';
    return firstIsPrimary ? { old: node(0), successor: node(3) } : { old: node(3), successor: node(0) };
  };
  /** Each primary with its epoch and its slots, as a node knows them. */
  const primariesSeenBy = async ({ admin }: ValkeyNode): Promise<string[]> => {
    const lines = String(await admin.call('CLUSTER', 'NODES'))
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
    return lines
      .filter(([, , flags]) => flags?.includes('master'))
      .map(([id, , , , , , epoch, , ...slots]) => [id, epoch, ...slots].join(' '))
      .sort();
  };
  /** Two primaries of one epoch that both claim a slot send its calls to each other for ever, so no test may begin before. */
  const expectAgreement = async (): Promise<void> => {
    const [first, ...others] = await Promise.all(nodes.map(primariesSeenBy));
    for (const other of others) expect(other).to.deep.equal(first);
    const epochs = first?.map((line) => line.split(' ')[1]);
    expect(epochs).to.have.lengthOf(3);
    expect(new Set(epochs)).to.have.property('size', 3);
  };
  const agreed = (): Promise<void> => eventually(expectAgreement, { withinMs: 20_000, everyMs: 50 });
  /** All nodes agree, and the one replica of a pair replicates the primary of that pair. */
  const settled = async (): Promise<void> => {
    await eventually(
      async () => {
        for (const { admin } of nodes) {
          const info = String(await admin.call('CLUSTER', 'INFO'));
          expect(info).to.include('cluster_state:ok').and.include('cluster_known_nodes:4');
        }
        const { old, successor } = await pair();
        const id = idOf.get(old) ?? '';
        if (!String(await successor.admin.call('CLUSTER', 'NODES')).includes(`myself,slave ${id}`)) {
          await successor.admin.call('CLUSTER', 'REPLICATE', id);
        }
        expect(await successor.admin.info('replication')).to.include('master_link_status:up');
        expect(await old.admin.info('replication')).to.include('connected_slaves:1');
        await expectAgreement();
      },
      { withinMs: 20_000, everyMs: 50 },
    );
  };
  const sessionIn = async ([from, to]: readonly [number, number]): Promise<string> => {
    for (let index = 0; ; index += 1) {
      const slot = Number(await node(0).admin.call('CLUSTER', 'KEYSLOT', `taint:v1:${sha256Hex(`s${index}`)}`));
      if (slot >= from && slot <= to) return `s${index}`;
    }
  };
  const storeWith = (
    Client: ClusterClass,
    options: ValkeySessionStoreOptions = {},
    clientOptions: object = {},
  ): ValkeySessionStore => {
    const client = new Client([{ host: '127.0.0.1', port: node(1).port }], clientOptions);
    client.on('error', () => {});
    const store = new ValkeySessionStore({ client, connectTimeoutMs: 2_000, commandTimeoutMs: 2_000, ...options });
    open.push({ client, store });
    return store;
  };

  before('makes a cluster of three primaries, the first with a replica', async function () {
    this.timeout(60_000);
    for (let index = 0; index < 4; index += 1) {
      const busPort = await group().innerPort();
      const started = await group().start(
        ...ARGS,
        '--cluster-port',
        String(busPort),
        '--cluster-config-file',
        `nodes-${index}`,
      );
      nodes.push(started);
      idOf.set(started, String(await started.admin.call('CLUSTER', 'MYID')));
      if (index > 0) await node(0).admin.call('CLUSTER', 'MEET', '127.0.0.1', started.port, busPort);
    }
    for (const [index, [from, to]] of SLOTS.entries()) {
      await node(index).admin.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
    }
    await eventually(() => node(3).admin.call('CLUSTER', 'REPLICATE', idOf.get(node(0)) ?? ''), { withinMs: 20_000 });
    sessions = [await sessionIn(SLOTS[0]), await sessionIn(SLOTS[1]), await sessionIn(SLOTS[2])];
  });
  afterEach(async () => {
    for (const { client, store } of open.splice(0)) {
      await store.close();
      client.disconnect();
    }
  });

  for (const [name, ClusterClass] of CLIENTS) {
    describe(name, () => {
      beforeEach(async () => {
        await settled();
        await Promise.all((await primaries()).map(({ admin }) => admin.flushall()));
      });

      for (const options of [{}, { ttlSeconds: 60 }]) {
        const withTtl = options.ttlSeconds ? 'with a TTL' : 'without a TTL';

        it(`appends and loads work on every primary, ${withTtl}`, async () => {
          const first = storeWith(ClusterClass, options, { lazyConnect: true });
          const second = storeWith(ClusterClass, options);
          for (const session of sessions) {
            await first.appendLabels(session, ['a']);
            await second.appendLabels(session, ['b']);
            expect(await first.loadLabels(session)).to.have.members(['a', 'b']);
          }
          const sizes = await Promise.all((await primaries()).map(({ admin }) => admin.dbsize()));
          expect(sizes).to.deep.equal([1, 1, 1]);
        });

        it(`G4: a primary that became a replica redirects loads, ${withTtl}`, async () => {
          const [session] = sessions;
          const store = storeWith(ClusterClass, options);
          await store.appendLabels(session, ['before']);
          const { old, successor } = await pair();
          await eventually(async () => expect(await successor.admin.dbsize()).to.equal(1));
          await successor.admin.call('CLUSTER', 'FAILOVER', 'TAKEOVER');
          await eventually(async () => (await roleOf(old)) === 'slave');
          // it is to have other data than its new primary, so that a read of it would show
          await eventually(() => old.admin.call('CLUSTER', 'REPLICATE', idOf.get(node(1)) ?? ''));
          const other = storeWith(ClusterClass, options);
          await other.appendLabels(session, ['after']);
          expect(await store.loadLabels(session)).to.have.members(['before', 'after']);
        });
      }

      it('ready() connects to the cluster, and writes nothing', async () => {
        await storeWith(ClusterClass, { ttlSeconds: 60 }).ready();
        const sizes = await Promise.all((await primaries()).map(({ admin }) => admin.dbsize()));
        expect(sizes).to.deep.equal([0, 0, 0]);
      });

      it('one of the nodes answers the self-check', async () => {
        const findings = await storeWith(ClusterClass).check();
        expect(findings.filter(({ status }) => status === 'unknown')).to.deep.equal([]);
      });
    });
  }

  it('a node that hangs stops only its sessions, until its replica takes over', async function () {
    this.timeout(60_000);
    await settled();
    await Promise.all((await primaries()).map(({ admin }) => admin.flushall()));
    const [session, elsewhere, beyond] = sessions;
    const store = storeWith(ioredis6.Cluster as unknown as ClusterClass, {
      connectTimeoutMs: 200,
      commandTimeoutMs: 300,
    });
    for (const each of sessions) await eventually(() => store.appendLabels(each, ['before']));
    const { old, successor } = await pair();
    await eventually(async () => expect(await successor.admin.dbsize()).to.equal(1));
    // or all of them would refuse everything until the failover
    for (const { admin } of nodes) await admin.config('SET', 'cluster-require-full-coverage', 'no');
    await old.stop();
    const stopped = performance.now();
    try {
      expect(await rejectionOf(store.loadLabels(session))).to.have.property('code', 'store.timeout');
      for (let round = 0; round < 20; round += 1) {
        const outcome = store.loadLabels(session).then(
          () => 'answered',
          (error: AplSessionError) => error.code,
        );
        expect(await store.loadLabels(elsewhere)).to.deep.equal(['before']);
        await store.appendLabels(beyond, [`during-${round}`]);
        // its cluster takes a second at least to find that it hangs
        if (performance.now() - stopped < 900) expect(await outcome).to.equal('store.unavailable');
      }
      await eventually(async () => (await roleOf(successor)) === 'master', { withinMs: 20_000 });
      const takenOver = performance.now();
      await eventually(async () => expect(await store.loadLabels(session)).to.deep.equal(['before']));
      await store.appendLabels(session, ['after']);
      expect(performance.now() - takenOver).to.be.below(2_000);
    } finally {
      await old.cont();
      for (const { admin } of nodes) await admin.config('SET', 'cluster-require-full-coverage', 'yes');
    }
  });

  for (const ttlSeconds of [undefined, 60]) {
    it(`a slot that is being moved: calls find it, ${ttlSeconds ? 'with' : 'without'} a TTL`, async () => {
      await settled();
      await Promise.all((await primaries()).map(({ admin }) => admin.flushall()));
      const [, from] = sessions;
      const [source, target] = [node(1), node(2)];
      const slot = String(slotOf(`taint:v1:${sha256Hex(from)}`));
      const id = (of: ValkeyNode): string => idOf.get(of) ?? '';
      const begin = async (old: ValkeyNode, next: ValkeyNode): Promise<void> => {
        await next.admin.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', id(old));
        await old.admin.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', id(next));
      };
      const finish = async (old: ValkeyNode, next: ValkeyNode): Promise<void> => {
        await next.admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', id(next));
        await old.admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', id(next));
      };
      const store = storeWith(ioredis6.Cluster as unknown as ClusterClass, { ...(ttlSeconds && { ttlSeconds }) });
      await store.loadLabels(from);
      await begin(source, target);
      // the key is not there yet, so the source sends everything on
      await store.appendLabels(from, ['asked']);
      expect(await store.loadLabels(from)).to.deep.equal(['asked']);
      expect([await source.admin.dbsize(), await target.admin.dbsize()]).to.deep.equal([0, 1]);
      await finish(source, target);
      await agreed();
      await store.appendLabels(from, ['moved']);
      expect(await store.loadLabels(from)).to.have.members(['asked', 'moved']);
      await target.admin.flushall();
      await begin(target, source);
      await finish(target, source);
      await agreed();
      expect(await store.loadLabels(from)).to.deep.equal([]);
    });
  }

  it('a node with another address is reached through the natMap', async () => {
    await settled();
    const client = new ioredis6.Cluster([{ host: '127.0.0.1', port: 1 }], {
      lazyConnect: true,
      natMap: Object.fromEntries(nodes.map(({ port }) => [`127.0.0.1:${port}`, { host: 'localhost', port }] as const)),
    });
    Object.assign(client, { startupNodes: [{ host: '127.0.0.1', port: node(0).port }] });
    const store = new ValkeySessionStore({ client, connectTimeoutMs: 2_000 });
    open.push({ client: client as unknown as ClusterClient, store });
    for (const session of sessions) await store.appendLabels(session, ['a']);
    for (const session of sessions) expect(await store.loadLabels(session)).to.deep.equal(['a']);
  });

  it('a user without the right to ask for slots gets an error that says so', async () => {
    await settled();
    const login = { username: 'few', password: 'pass' };
    await node(1).admin.call('ACL', 'SETUSER', 'few', 'reset', 'on', '>pass', '~taint:v1:*', '+smembers', '+sadd');
    try {
      const store = storeWith(
        ioredis6.Cluster as unknown as ClusterClass,
        {},
        { lazyConnect: true, redisOptions: login },
      );
      await eventually(async () => {
        const error = await rejectionOf(store.loadLabels(sessions[0]));
        expect(error).to.have.property('code', 'store.not_permitted');
      });
    } finally {
      await node(1).admin.call('ACL', 'DELUSER', 'few');
    }
  });

  it('a replica is enough as the only startup node', async () => {
    await settled();
    const { successor } = await pair();
    const client = new ioredis6.Cluster([{ host: '127.0.0.1', port: successor.port }], { lazyConnect: true });
    const store = new ValkeySessionStore({ client, connectTimeoutMs: 2_000 });
    open.push({ client: client as unknown as ClusterClient, store });
    const alarms: Alarm[] = [];
    store.onAlarm((alarm) => alarms.push(alarm));
    for (const session of sessions) await store.loadLabels(session);
    // the replica was asked for the map alone, so its role is not a finding
    expect((await store.check()).find(({ name }) => name === 'role')).to.include({ status: 'ok' });
    expect(alarms.map(({ alarm }) => alarm)).to.not.include('session_store_unsupported_server');
  });

  it('computes the slot of a key as the server does', async () => {
    const keys = ['', 'a', '{a}b', 'x{a}b{c}', '{}a', 'a{', '}{b}', 'taint:v1:00', 'é{ü}✓', '{{a}}b'];
    for (const key of keys) {
      expect(slotOf(key), key).to.equal(Number(await node(0).admin.call('CLUSTER', 'KEYSLOT', key)));
    }
  });

  it('G2: a primary that dies: only its sessions reject, until the failover', async function () {
    this.timeout(60_000);
    await settled();
    await Promise.all((await primaries()).map(({ admin }) => admin.flushall()));
    const [session, elsewhere] = sessions;
    const store = storeWith(ioredis6.Cluster as unknown as ClusterClass, {
      connectTimeoutMs: 200,
      commandTimeoutMs: 300,
    });
    await eventually(() => store.appendLabels(session, ['before']));
    const { old, successor } = await pair();
    await eventually(async () => expect(await successor.admin.dbsize()).to.equal(1));
    await old.kill();
    try {
      const refused = await rejectionOf(store.appendLabels(session, ['lost']));
      expect(refused)
        .to.be.instanceOf(AplSessionError)
        .with.property('code')
        .that.matches(/^store\.(timeout|unavailable|command_failed)$/);
      await eventually(() => store.appendLabels(elsewhere, ['a']));
      await eventually(() => store.appendLabels(session, ['after']), { withinMs: 20_000 });
      expect(await store.loadLabels(session)).to.include.members(['before', 'after']);
    } finally {
      await old.restart();
    }
  });
});
