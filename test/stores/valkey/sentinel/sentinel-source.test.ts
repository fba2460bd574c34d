import { expect } from 'chai';
import type { Alarm } from '../../../../lib/contract/alarms.js';
import { AplSessionError } from '../../../../lib/contract/errors.js';
import { sha256Hex } from '../../../../lib/session/digest.js';
import { ValkeySessionStore } from '../../../../lib/valkey.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { array, bulk, FakeValkey } from '../../../support/fake-valkey.js';
import { describeWithGroup } from '../../../support/group-security.js';
import { openedStores, PATIENT } from '../../../support/opened-stores.js';
import { SessionTraffic } from '../../../support/session-traffic.js';
import type { ValkeyNode } from '../../../support/valkey-group.js';
import { type SentinelTopology, startSentinels } from '../../../support/valkey-topologies.js';
import { describeSessionStoreContract } from '../../session-store-contract.js';

for (const isSecure of [false, true]) {
  describeWithGroup('ValkeySessionStore on Sentinels', { size: 6, isSecure }, (group, security) => {
    let topology: SentinelTopology;
    const fakes: FakeValkey[] = [];
    const storeWith = openedStores(() => ({ ...topology.options, ...PATIENT }));

    before('has three Sentinels watch a primary and two replicas', async function () {
      this.timeout(60_000);
      topology = await startSentinels(group(), security());
    });
    beforeEach(() => topology.flush());
    afterEach(async () => {
      await Promise.all(fakes.splice(0).map((fake) => fake.close()));
    });

    describeSessionStoreContract('contract', {
      open: () => new ValkeySessionStore({ ...topology.options, ...PATIENT }),
      limit: true,
      close: true,
      check: true,
      ttl: { open: (ttlSeconds) => new ValkeySessionStore({ ...topology.options, ...PATIENT, ttlSeconds }) },
      countBackendCalls: (action) => topology.countCommands(action),
    });

    it('status() names the primary once it is known, and ping() asks it', async () => {
      const store = storeWith();
      expect(store.status()).to.deep.include({ connected: false, topology: 'sentinel', primaries: [] });
      expect(await topology.countCommands(() => store.ping())).to.equal(1);
      expect(store.status()).to.include({ connected: true });
      const [primary] = await topology.primaries();
      expect(store.status().primaries).to.deep.equal([`127.0.0.1:${primary?.peerPort}`]);
      expect(store.status().addresses).to.have.length(3);
    });

    // mocha runs the tests of a suite before its inner suites, so the order needs suites
    describe('after the contract', () => {
      it('the ACLs of Valkey and of the Sentinels have denied nothing', async () => {
        expect(await topology.denied()).to.deep.equal([]);
      });
    });

    if (isSecure) {
      describe('security', defineSecurity);
      describe('failover', defineFailovers);
    } else {
      describe('a Sentinel with a fault', defineFaultySentinels);
    }

    function defineSecurity(): void {
      it('the self-check finds the primary', async () => {
        const role = (await storeWith().check()).find(({ name }) => name === 'role');
        expect(role).to.include({ status: 'ok', detail: 'role is master' });
      });

      it('password functions are called for each connection, each for its own layer', async () => {
        const asked: string[] = [];
        const ask = (what: string, password: unknown) => () => {
          asked.push(what);
          return String(password);
        };
        const { password, sentinelPassword } = topology.options;
        const store = storeWith({
          password: ask('Valkey', password),
          sentinelPassword: ask('Sentinel', sentinelPassword),
        });
        await store.loadLabels('s');
        expect(asked.sort()).to.deep.equal(['Sentinel', 'Sentinel', 'Sentinel', 'Valkey']);
      });

      it('a wrong password for the Sentinels is store.login_failed, and the message names the option', async () => {
        const store = storeWith({ connectTimeoutMs: 300, sentinelPassword: 'hunter2' });
        const error = await rejectionOf(store.loadLabels('s'));
        expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'store.login_failed');
        expect(error).to.have.property('message').that.includes('sentinelPassword').and.does.not.include('hunter2');
      });

      it('a user without the right to ask is store.not_permitted, and the message names the command', async () => {
        for (const { admin } of topology.sentinels) await admin.call('ACL', 'SETUSER', 'few', 'on', '>pass');
        const store = storeWith({ connectTimeoutMs: 300, sentinelUsername: 'few', sentinelPassword: 'pass' });
        const error = await rejectionOf(store.loadLabels('s'));
        expect(error).to.have.property('code', 'store.not_permitted');
        expect(error).to.have.property('message').that.includes('SENTINEL GET-MASTER-ADDR-BY-NAME');
      });

      it('a certificate for another name is refused', async () => {
        const tls = { ...(topology.options.tls as object), servername: 'valkey.elsewhere.example' };
        const error = await rejectionOf(storeWith({ connectTimeoutMs: 300, tls }).loadLabels('s'));
        expect(error).to.have.property('code', 'store.certificate_wrong_name');
      });

      it('NODE_TLS_REJECT_UNAUTHORIZED has no effect', async () => {
        const { ca: _, ...tls } = topology.options.tls as { ca: string };
        const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
        process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
        try {
          const error = await rejectionOf(storeWith({ connectTimeoutMs: 300, tls }).loadLabels('s'));
          expect(error).to.have.property('code', 'store.certificate_untrusted');
        } finally {
          if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
          else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
        }
      });
    }

    function defineFailovers(): void {
      const failovers: ReadonlyArray<{
        readonly what: string;
        act(primary: ValkeyNode): Promise<unknown>;
        repair(primary: ValkeyNode): Promise<unknown>;
      }> = [
        {
          what: 'SENTINEL FAILOVER',
          act: async () => topology.sentinels[0]?.admin.call('SENTINEL', 'FAILOVER', 'labels'),
          repair: async () => {},
        },
        {
          what: 'kill -9 of the primary',
          act: (primary) => primary.kill(),
          repair: (primary) => topology.revive(primary),
        },
        {
          what: 'SIGSTOP of the primary',
          act: (primary) => primary.stop(),
          repair: (primary) => primary.cont(),
        },
      ];

      const successorOf = (old: ValkeyNode): Promise<ValkeyNode> =>
        eventually(
          async () => {
            const [other] = (await topology.primaries()).filter((node) => node !== old);
            return other ?? expect.fail('no replica has become the primary');
          },
          { withinMs: 30_000 },
        ) as Promise<ValkeyNode>;
      /** The old primary may still acknowledge the first of these appends. */
      const expectServiceOn = (successor: ValkeyNode, store: ValkeySessionStore): Promise<unknown> =>
        eventually(
          async () => {
            await store.appendLabels('s', ['after']);
            expect(await successor.admin.exists(keyOf('s'))).to.equal(1);
          },
          { withinMs: 15_000 },
        );

      for (const { what, act, repair } of failovers) {
        it(`G2: ${what}: requests in flight are served right or denied, and the store follows`, async function () {
          this.timeout(60_000);
          await topology.settled();
          const options = { connectTimeoutMs: 250, commandTimeoutMs: 500, maxLabelsPerSession: 1_000_000 };
          const store = storeWith(options);
          await eventually(() => store.loadLabels('s'));
          const traffic = new SessionTraffic(store, ['a', 'b', 'c', 'd']);
          await eventually(() => traffic.rounds > 50);
          await topology.settled();
          const old = await topology.primaryOf('s');
          try {
            await topology.withFailovers(async () => {
              await act(old);
              await expectServiceOn(await successorOf(old), store);
              const rounds = traffic.rounds;
              await eventually(() => traffic.rounds > rounds + 50);
            });
          } finally {
            await traffic.stop();
            await repair(old);
            await topology.settled();
          }
          console.info(`      Sentinel, ${what}: ${traffic.summary()}`);
          expect(traffic.strange).to.deep.equal([]);
          expect(traffic.foreignLabels).to.equal(0);
          expect(Object.keys(traffic.failures)).to.satisfy((codes: string[]) => codes.every(isOutage));
          // the deadline of a call is 750 ms; the rest is for a busy machine
          expect(traffic.slowestCallMs).to.be.below(2_000);
          expect(await store.loadLabels('s')).to.deep.equal(['after']);
        });
      }

      it('checks the new primary after a failover', async function () {
        this.timeout(60_000);
        await topology.settled();
        const alarms: Alarm[] = [];
        const store = storeWith();
        store.onAlarm((alarm) => alarms.push(alarm));
        await store.loadLabels('s');
        const old = await topology.primaryOf('s');
        const others = topology.servers.filter((server) => server !== old);
        for (const { admin } of others) await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
        await topology.sentinels[0]?.admin.call('SENTINEL', 'FAILOVER', 'labels');
        await eventually(() => expect(alarms.map(({ alarm }) => alarm)).to.include('session_store_unsafe_eviction'), {
          withinMs: 20_000,
        });
        for (const { admin } of others) await admin.config('SET', 'maxmemory-policy', 'noeviction');
      });
    }

    function defineFaultySentinels(): void {
      const fakeSentinel = async (answer: (port: number) => string): Promise<string> => {
        const fake = await FakeValkey.start();
        fakes.push(fake);
        fake.bend = (command, reply) => (command === 'sentinel' ? answer(fake.port) : reply);
        return `127.0.0.1:${fake.port}`;
      };
      const naming = (port: number): Promise<string> =>
        fakeSentinel(() => array([bulk('127.0.0.1'), bulk(String(port))]));
      const real = (): readonly [string, string, string] =>
        topology.options.sentinels as unknown as [string, string, string];
      const OUTAGE = { connectTimeoutMs: 300, commandTimeoutMs: 500 };

      const faults: ReadonlyArray<readonly [what: string, sentinel: () => Promise<string>]> = [
        [
          'one that hangs',
          async () => {
            const address = await fakeSentinel(() => '');
            for (const fake of fakes) fake.ignore = () => true;
            return address;
          },
        ],
        ['one that does not answer the question', () => fakeSentinel(() => '')],
        ['one that does not know the name', () => fakeSentinel(() => '*-1\r\n')],
        ['one that answers something else', () => fakeSentinel(() => array([bulk(''), bulk('x')]))],
        ['one that names a replica', async () => naming((await topology.replicaOf('s')).peerPort)],
        ['one that names itself', () => fakeSentinel((port) => array([bulk('127.0.0.1'), bulk(String(port))]))],
        ['one that names a server that is down', () => naming(1)],
        ['one that is down', async () => '127.0.0.1:1'],
      ];
      for (const [what, sentinel] of faults) {
        it(`${what} costs no call while two others agree`, async () => {
          const sentinels = [await sentinel(), ...real().slice(0, 2)];
          const store = storeWith({ ...OUTAGE, sentinels });
          await store.appendLabels('s', ['a']);
          expect(await store.loadLabels('s')).to.deep.equal(['a']);
          expect(await (await topology.primaryOf('s')).admin.exists(keyOf('s'))).to.equal(1);
        });
      }
      for (const [what, sentinel] of faults.filter(([name]) => !name.includes('itself'))) {
        it(`${what} costs one deadline beside a single other one`, async () => {
          // the first one counts if both name an address
          const sentinels = [await sentinel(), await naming((await topology.primaryOf('s')).peerPort)];
          const store = storeWith({ ...OUTAGE, sentinels });
          const startedMs = performance.now();
          await eventually(() => store.loadLabels('s'));
          expect(performance.now() - startedMs).to.be.below(3_000);
        });
      }

      it('G4: the store leaves a primary that still answers when most Sentinels name another one', async () => {
        const [before, after] = [await FakeValkey.start(), await FakeValkey.start()];
        fakes.push(before, after);
        before.sets.set(keyOf('s'), new Set(['old']));
        after.sets.set(keyOf('s'), new Set(['old', 'new']));
        const named = [before, before, before];
        let questions = 0;
        const answering = async (index: number): Promise<string> =>
          fakeSentinel(() => {
            questions += 1;
            return array([bulk('127.0.0.1'), bulk(String(named[index]?.port))]);
          });
        const sentinels = await Promise.all([0, 1, 2].map(answering));
        const store = storeWith({ ...OUTAGE, sentinels });
        expect(await store.loadLabels('s')).to.deep.equal(['old']);
        // a minority does not move the store
        named[0] = after;
        const asked = questions;
        await eventually(() => questions > asked + 6);
        expect([before.connections, after.connections]).to.deep.equal([1, 0]);
        // no call is needed for this
        named[1] = after;
        await eventually(() => after.connections === 1);
        expect(await store.loadLabels('s')).to.deep.equal(['old', 'new']);
      });

      it('without any Sentinel the store keeps its connection', async () => {
        const proxies = await Promise.all([1, 2, 3].map(async () => naming((await topology.primaryOf('s')).peerPort)));
        const store = storeWith({ ...OUTAGE, sentinels: proxies });
        await store.appendLabels('s', ['a']);
        await Promise.all(fakes.splice(0).map((fake) => fake.close()));
        for (let load = 0; load < 30; load += 1) expect(await store.loadLabels('s')).to.deep.equal(['a']);
      });

      it('G4: a replica is never used, even if all Sentinels name it', async () => {
        const replica = await topology.replicaOf('s');
        const store = storeWith({ ...OUTAGE, sentinels: [await naming(replica.peerPort)] });
        const error = await rejectionOf(store.loadLabels('s'));
        expect(error).to.have.property('code', 'store.unavailable');
        expect(error).to.have.property('message').that.includes('the server is a replica');
      });

      it('a name that no Sentinel knows: the error says so', async () => {
        const error = await rejectionOf(storeWith({ ...OUTAGE, name: 'other' }).loadLabels('s'));
        expect(error).to.have.property('code', 'store.unavailable');
        expect(error).to.have.property('message').that.includes("'name'");
      });

      it('all Sentinels are down: the error says so', async () => {
        const error = await rejectionOf(storeWith({ ...OUTAGE, sentinels: ['127.0.0.1:1'] }).loadLabels('s'));
        expect(error).to.have.property('code', 'store.unavailable');
        expect(error).to.have.property('message').that.includes('Sentinel').and.includes('ECONNREFUSED');
      });

      it('a Sentinel that names another machine gets no plain text sent there', async () => {
        const address = await fakeSentinel(() => array([bulk('192.0.2.1'), bulk('6379')]));
        const error = await rejectionOf(storeWith({ ...OUTAGE, sentinels: [address] }).loadLabels('s'));
        expect(error)
          .to.have.property('code')
          .that.matches(/^store\.(unavailable|tls_failed)$/);
      });
    }
  });
}

function keyOf(session: string): string {
  return `taint:v1:${sha256Hex(session)}`;
}

function isOutage(code: string): boolean {
  return ['store.unavailable', 'store.timeout', 'store.command_failed'].includes(code);
}
