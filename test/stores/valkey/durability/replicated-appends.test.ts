import { expect } from 'chai';
import type { AplSessionError } from '../../../../lib/contract/errors.js';
import { CountingProxy } from '../../../support/counting-proxy.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { VALKEY_RIGHTS, WAIT_RIGHT } from '../../../support/group-security.js';
import { openedStores } from '../../../support/opened-stores.js';
import { describeWithValkeyGroup, type ValkeyNode } from '../../../support/valkey-group.js';
import { describeSessionStoreContract } from '../../session-store-contract.js';

const SERVER = ['--save', '', '--repl-diskless-sync-delay', '0'];
const RIGHTS = [...VALKEY_RIGHTS, WAIT_RIGHT];

describeWithValkeyGroup('durability: { replicas }', 3, (group) => {
  let primary: ValkeyNode;
  let replicas: ValkeyNode[];
  let proxy: CountingProxy;
  const storeWith = openedStores(() => ({
    endpoint: new URL(proxy.url).host,
    username: 'labels',
    password: 'of-valkey',
    connectTimeoutMs: 2_000,
    commandTimeoutMs: 1_000,
    durability: { replicas: 2 },
  }));
  const failureOf = async (promise: Promise<unknown>): Promise<AplSessionError> =>
    (await rejectionOf(promise)) as AplSessionError;
  const areConnected = async (count: number): Promise<void> => {
    await eventually(
      async () => {
        expect(await primary.admin.info('replication')).to.include(`connected_slaves:${count}\r`);
        const online = (await primary.admin.info('replication')).match(/state=online/g) ?? [];
        expect(online).to.have.length(count);
      },
      { withinMs: 20_000 },
    );
  };

  before('starts a primary with two replicas', async function () {
    this.timeout(60_000);
    primary = await group().start(...SERVER);
    await primary.admin.call('ACL', 'SETUSER', 'labels', 'on', '>of-valkey', ...RIGHTS);
    const follow = ['--replicaof', `127.0.0.1 ${primary.port}`];
    replicas = await Promise.all([1, 2].map(() => group().start(...SERVER, ...follow)));
    await areConnected(2);
    const url = primary.url;
    proxy = await CountingProxy.start({ url, host: '127.0.0.1', port: primary.port });
  });
  after(() => proxy?.close());

  describeSessionStoreContract('contract', {
    open: () => storeWith(),
    limit: true,
    close: true,
    check: true,
    ttl: { open: (ttlSeconds) => storeWith({ ttlSeconds }) },
  });

  describeSessionStoreContract('contract, with fencedReads', {
    open: () => storeWith({ durability: { replicas: 2, fencedReads: true } }),
    limit: true,
    close: true,
    check: true,
    ttl: { open: (ttlSeconds) => storeWith({ ttlSeconds, durability: { replicas: 2, fencedReads: true } }) },
  });

  // mocha runs the tests of a suite before its inner suites
  describe('replicas that confirm', () => {
    it('an append resolves when both replicas have the label', async () => {
      const store = storeWith();
      await store.ready();
      for (let n = 0; n < 50; n += 1) {
        await store.appendLabels(`session ${n}`, ['secret']);
        const found = await Promise.all(replicas.map(({ admin }) => admin.call('DBSIZE')));
        expect(Math.min(...found.map(Number))).to.be.at.least(n + 1);
      }
    });

    it('one WAIT confirms all appends of a batch', async () => {
      const store = storeWith();
      await store.ready();
      await primary.admin.config('RESETSTAT');
      await Promise.all(Array.from({ length: 200 }, (_, n) => store.appendLabels(`batch ${n}`, ['secret'])));
      const stats = await primary.admin.info('commandstats');
      const waits = Number(/cmdstat_wait:calls=(\d+)/.exec(stats)?.[1]);
      expect(waits).to.be.within(1, 20);
    });

    it('costs one round trip for an append and for a load, fenced or not', async () => {
      for (const fencedReads of [false, true]) {
        const store = storeWith({ durability: { replicas: 2, fencedReads }, ttlSeconds: 60 });
        await store.ready();
        expect(await proxy.countRoundTrips(() => store.appendLabels('trips', ['a']))).to.equal(1);
        expect(await proxy.countRoundTrips(() => store.loadLabels('trips'))).to.equal(1);
      }
    });

    it('the ACL with +wait denies nothing', async () => {
      expect(await primary.admin.call('ACL', 'LOG')).to.deep.equal([]);
    });

    it('without the right to WAIT appends fail, and the error says so', async () => {
      const store = storeWith();
      await primary.admin.call('ACL', 'SETUSER', 'labels', '-wait');
      const { code, message } = await failureOf(store.appendLabels('denied', ['secret']));
      await primary.admin.call('ACL', 'SETUSER', 'labels', '+wait');
      expect(code).to.equal('store.not_permitted');
      expect(message).to.include("'wait'");
      await primary.admin.call('ACL', 'LOG', 'RESET');
    });
  });

  describe('with a replica that is stopped', () => {
    before(() => replicas[0]?.stop());
    after('the replica goes on', async function () {
      this.timeout(30_000);
      await replicas[0]?.cont();
      await areConnected(2);
    });

    it('G2: appends fail; plain loads are answered', async () => {
      const store = storeWith();
      const { code, message } = await failureOf(store.appendLabels('short', ['secret']));
      expect(code).to.equal('store.not_replicated');
      expect(message).to.include('1 of the 2 replicas').and.to.include('within 400 ms');
      expect(await store.loadLabels('short')).to.deep.equal(['secret']);
    });

    it('G2: an append of a label that the primary has already fails too', async () => {
      const store = storeWith();
      await failureOf(store.appendLabels('known', ['secret']));
      expect((await failureOf(store.appendLabels('known', ['secret']))).code).to.equal('store.not_replicated');
    });

    it('G4: fenced loads fail', async () => {
      const store = storeWith({ durability: { replicas: 2, fencedReads: true } });
      expect((await failureOf(store.loadLabels('fenced'))).code).to.equal('store.not_replicated');
      expect((await failureOf(store.ready())).code).to.equal('store.not_replicated');
    });

    it('one replica is enough where one is demanded', async () => {
      const store = storeWith({ durability: { replicas: 1, fencedReads: true } });
      await store.appendLabels('one', ['secret']);
      expect(await store.loadLabels('one')).to.deep.equal(['secret']);
    });
  });

  describe('with a replica that is gone', () => {
    before(async () => {
      await replicas[0]?.kill();
      await areConnected(1);
    });
    after('the replica comes back', async function () {
      this.timeout(30_000);
      await replicas[0]?.restart();
      await areConnected(2);
    });

    it('the self-check warns, with the numbers', async () => {
      const store = storeWith();
      const findings = await store.check();
      expect(findings.find(({ name }) => name === 'connected_replicas')).to.deep.include({
        status: 'warning',
        detail: 'connected_slaves is 1',
      });
    });
  });

  it('a primary that is demoted while it waits for replicas: the append fails', async () => {
    const store = storeWith({ durability: { replicas: 3 }, retry: false });
    await store.loadLabels('demoted');
    const failing = failureOf(store.appendLabels('demoted', ['secret']));
    await eventually(async () => expect(await primary.admin.client('LIST')).to.include('cmd=wait'), { everyMs: 1 });
    await primary.admin.call('REPLICAOF', '127.0.0.1', '1');
    const { code } = await failing;
    await primary.admin.call('REPLICAOF', 'NO', 'ONE');
    // the server ends the WAIT with an error, or closes the connection
    expect(code).to.be.oneOf(['store.command_failed', 'store.not_replicated', 'store.unavailable']);
  });
});
