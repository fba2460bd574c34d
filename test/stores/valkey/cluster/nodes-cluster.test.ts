import { expect } from 'chai';
import type { Alarm } from '../../../../lib/contract/alarms.js';
import { sha256Hex } from '../../../../lib/session/digest.js';
import { slotOf } from '../../../../lib/stores/valkey/cluster/slot-of.js';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../../../lib/valkey.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { describeWithGroup } from '../../../support/group-security.js';
import { openedStores, PATIENT } from '../../../support/opened-stores.js';
import { SessionTraffic } from '../../../support/session-traffic.js';
import type { ValkeyNode } from '../../../support/valkey-group.js';
import { type ClusterTopology, startCluster } from '../../../support/valkey-topologies.js';
import { describeSessionStoreContract } from '../../session-store-contract.js';

const CONFIRMED = { replicas: 1, fencedReads: true };

for (const isSecure of [false, true]) {
  describeWithGroup('ValkeySessionStore on the nodes of a cluster', { size: 6, isSecure }, (group, security) => {
    let cluster: ClusterTopology;
    const storeWith = openedStores(() => ({ ...cluster.options, ...PATIENT }));

    before('makes a cluster of three primaries with a replica each', async function () {
      this.timeout(60_000);
      cluster = await startCluster(group(), security());
    });
    beforeEach(() => cluster.flush());
    describeSessionStoreContract('contract', {
      open: () => new ValkeySessionStore({ ...cluster.options, ...PATIENT }),
      limit: true,
      close: true,
      check: true,
      ttl: { open: (ttlSeconds) => new ValkeySessionStore({ ...cluster.options, ...PATIENT, ttlSeconds }) },
      countBackendCalls: (action) => cluster.countCommands(action),
    });

    describeSessionStoreContract('contract, with replicas that confirm', {
      open: () => new ValkeySessionStore({ ...cluster.options, ...PATIENT, durability: CONFIRMED }),
      limit: true,
      close: true,
      check: true,
    });

    it('status() names every primary, and ping() asks each of them', async () => {
      const store = storeWith();
      expect(store.status()).to.deep.include({
        connected: false,
        topology: 'cluster',
        primaries: [],
        addresses: cluster.options.nodes?.map((node) => node.replace(/^rediss:\/\//, '')),
      });
      expect(await cluster.countCommands(() => store.ping())).to.equal(4);
      expect(store.status()).to.include({ connected: true });
      const ports = (await cluster.primaries()).map(({ peerPort }) => `${peerPort}`);
      expect(store.status().primaries?.map((address) => address.split(':').at(-1))).to.have.members(ports);
    });

    // mocha runs the tests of a suite before its inner suites, so the order needs suites
    describe('after the contract', () => {
      it('the ACLs have denied nothing', async () => {
        expect(await cluster.denied()).to.deep.equal([]);
      });
    });

    describe('addresses', () => {
      it('one node of the list is enough, and a replica will do', async () => {
        const [replica] = cluster.servers.filter((server) => !cluster.options.nodes?.includes(addressOf(server)));
        const store = storeWith({ nodes: ['127.0.0.1:1', addressOf(replica)] });
        for (const session of await cluster.sessions()) await store.appendLabels(session, ['a']);
        expect(await Promise.all((await cluster.primaries()).map(({ admin }) => admin.dbsize()))).to.deep.equal([
          1, 1, 1,
        ]);
      });

      it('all nodes of the list are down: the error says so', async () => {
        const error = await rejectionOf(storeWith({ nodes: ['127.0.0.1:1'], connectTimeoutMs: 200 }).loadLabels('s'));
        expect(error).to.have.property('code', 'store.unavailable');
        expect(error).to.have.property('message').that.includes('ECONNREFUSED');
      });
    });

    describe('self-check', () => {
      it('finds the fault of any primary, at once and for check()', async () => {
        const alarms: string[] = [];
        const store = storeWith();
        store.onAlarm(({ alarm }: Alarm) => alarms.push(alarm));
        const [, , last] = await cluster.primaries();
        await last?.admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
        try {
          await store.loadLabels('s');
          await eventually(() => expect(alarms).to.include('session_store_unsafe_eviction'));
          const findings = await store.check();
          expect(findings.map(({ name }) => name)).to.have.length(6);
          expect(findings.find(({ name }) => name === 'eviction_policy')).to.include({ status: 'warning' });
          expect(findings.find(({ name }) => name === 'role')).to.include({ status: 'ok' });
        } finally {
          await last?.admin.config('SET', 'maxmemory-policy', 'noeviction');
        }
      });

      it('forgets the fault of a primary that has been replaced', async function () {
        this.timeout(60_000);
        const alarms: Alarm[] = [];
        const store = storeWith();
        store.onAlarm((alarm) => alarms.push(alarm));
        const old = await cluster.primaryOf('s');
        await old.admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
        try {
          await store.check();
          expect(store.status().findings?.find(({ name }) => name === 'eviction_policy')).to.include({
            status: 'warning',
          });
          await (await cluster.replicaOf('s')).admin.call('CLUSTER', 'FAILOVER');
          await eventually(
            async () => {
              await store.loadLabels('s');
              await store.check();
              const mended = alarms.map((alarm) => 'after' in alarm && alarm.after);
              expect(mended).to.include('session_store_unsafe_eviction');
              const finding = store.status().findings?.find(({ name }) => name === 'eviction_policy');
              expect(finding).to.include({ status: 'ok' });
            },
            { withinMs: 20_000 },
          );
        } finally {
          await old.admin.config('SET', 'maxmemory-policy', 'noeviction');
          await cluster.settled();
        }
      });
    });

    if (isSecure) {
      describe('changes of the cluster', () => defineChanges({}));
      describe('changes of the cluster, with replicas that confirm', () => defineChanges({ durability: CONFIRMED }));
    }

    function defineChanges(durability: ValkeySessionStoreOptions): void {
      const options = { connectTimeoutMs: 250, commandTimeoutMs: 500, maxLabelsPerSession: 1_000_000, ...durability };
      const changes: ReadonlyArray<{
        readonly what: string;
        act(session: string): Promise<unknown>;
        repair?(node: ValkeyNode): Promise<unknown>;
        readonly isSmooth?: boolean;
      }> = [
        {
          what: 'CLUSTER FAILOVER',
          act: async (session) => (await cluster.replicaOf(session)).admin.call('CLUSTER', 'FAILOVER'),
          isSmooth: true,
        },
        {
          what: 'kill -9 of a primary',
          act: async (session) => (await cluster.primaryOf(session)).kill(),
          repair: (node) => cluster.revive(node),
        },
        {
          what: 'SIGSTOP of a primary',
          act: async (session) => (await cluster.primaryOf(session)).stop(),
          repair: (node) => node.cont(),
        },
      ];

      for (const { what, act, repair, isSmooth } of changes) {
        it(`G2: ${what}: requests in flight are served right or denied, and the store follows`, async function () {
          this.timeout(60_000);
          await cluster.settled();
          const sessions = await cluster.sessions();
          const [session = ''] = sessions;
          const store = storeWith(options);
          await eventually(() => store.loadLabels(session));
          const old = await cluster.primaryOf(session);
          const traffic = new SessionTraffic(store, sessions);
          await eventually(() => traffic.rounds > 50);
          await act(session);
          try {
            await eventually(async () => expect(await cluster.primaryOf(session)).to.not.equal(old), {
              withinMs: 30_000,
            });
            // the new primary has no replica that could confirm, until the old one is back
            if (options.durability) await repair?.(old);
            await eventually(() => store.loadLabels(session), { withinMs: 10_000 });
            const rounds = traffic.rounds;
            await eventually(() => traffic.rounds > rounds + 50);
          } finally {
            await traffic.stop();
            if (!options.durability) await repair?.(old);
            await cluster.settled();
          }
          console.info(`      Cluster, ${what}: ${traffic.summary()}`);
          assertServedOrDenied(traffic);
          if (isSmooth || options.durability) expect(traffic.incompleteLoads).to.equal(0);
        });
      }

      const moves: ReadonlyArray<{ what: string; keyOn(source: ValkeyNode, session: string): Promise<string> }> = [
        { what: 'a slot in use', keyOn: async (_source, session) => `taint:v1:${sha256Hex(session)}` },
        { what: 'the slot of the fence', keyOn: fenceOn },
      ];
      for (const { what, keyOn } of moves.slice(0, options.durability ? 2 : 1)) {
        it(`${what} moves to another primary: no call fails`, async function () {
          this.timeout(60_000);
          await cluster.settled();
          const [session = '', other = ''] = await cluster.sessions();
          const [source, target] = [await cluster.primaryOf(session), await cluster.primaryOf(other)];
          const store = storeWith({ ...options, ...PATIENT });
          const traffic = new SessionTraffic(store, [session, other]);
          await eventually(() => traffic.rounds > 20);
          const key = await keyOn(source, session);
          await cluster.moveSlot(slotOf(key), { source, target, keys: [key] });
          await eventually(async () => expect(await cluster.primaryOfSlot(slotOf(key))).to.equal(target));
          const rounds = traffic.rounds;
          await eventually(() => traffic.rounds > rounds + 20);
          await traffic.stop();
          console.info(`      Cluster, ${what} moves: ${traffic.summary()}`);
          assertServedOrDenied(traffic);
          expect(traffic.incompleteLoads).to.equal(0);
          expect(traffic.failures).to.deep.equal({});
          expect(await cluster.denied()).to.deep.equal([]);
        });
      }
    }
  });
}

async function fenceOn({ admin }: ValkeyNode): Promise<string> {
  const [fence] = await admin.keys('taint:v1:fence:*');
  return fence ?? expect.fail('the server has no fence');
}

function assertServedOrDenied(traffic: SessionTraffic): void {
  expect(traffic.strange).to.deep.equal([]);
  expect(traffic.foreignLabels).to.equal(0);
  const codes = ['store.unavailable', 'store.timeout', 'store.command_failed', 'store.not_replicated'];
  for (const code of Object.keys(traffic.failures)) expect(code).to.be.oneOf(codes);
  // the deadline of a call is 750 ms; the rest is for a busy machine
  expect(traffic.slowestCallMs).to.be.below(2_000);
}

function addressOf(node: ValkeyNode | undefined): string {
  return `127.0.0.1:${node?.peerPort}`;
}
