import { inspect } from 'node:util';
import { expect } from 'chai';
import type { Alarm } from '../../../lib/contract/alarms.js';
import type { AplSessionError, AplSessionErrorCode } from '../../../lib/contract/errors.js';
import { sha256Hex } from '../../../lib/session/digest.js';
import type { ValkeySessionStore } from '../../../lib/stores/valkey/valkey-session-store.js';
import { alarmsOf } from '../../support/alarms.js';
import { CountingProxy } from '../../support/counting-proxy.js';
import { eventually, rejectionOf } from '../../support/eventually.js';
import { runModule } from '../../support/node-child.js';
import { openedStores } from '../../support/opened-stores.js';
import { expectFailure as expectShownFailure } from '../../support/store-failure.js';
import { describeWithDedicatedValkey } from '../../support/valkey.js';
import { freePort } from '../../support/valkey-servers.js';

const SESSION = 'session-of-alice';
const KEY = `taint:v1:${sha256Hex(SESSION)}`;
const LABEL = 'salary-data';
const SECRETS = [SESSION, KEY, sha256Hex(SESSION), LABEL, 'hunter2', 'user-of-test'];

const expectFailure = (call: Promise<unknown>, code: AplSessionErrorCode): Promise<AplSessionError> =>
  expectShownFailure(call, code, SECRETS);

async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

describeWithDedicatedValkey('G2: ValkeySessionStore fails closed', (server) => {
  const storeWith = openedStores(() => ({ endpoint: server().url }));
  beforeEach(() => server().flush());
  for (const { ttl, options } of [
    { ttl: 'without a TTL', options: {} },
    { ttl: 'with a TTL', options: { ttlSeconds: 60 } },
  ]) {
    describe(ttl, () => {
      it('a server that hangs rejects in time, and is used again later', async () => {
        const store = storeWith({ connectTimeoutMs: 300, commandTimeoutMs: 200, ...options });
        await store.appendLabels(SESSION, ['before']);
        await server().stop();
        try {
          const [load, append] = [store.loadLabels(SESSION), store.appendLabels(SESSION, [LABEL])];
          const ms = await timed(() => Promise.all([expectFailure(load, 'store.timeout'), rejectionOf(append)]));
          expect(ms).to.be.within(150, 1_500);
          // the connection was given up, so these wait for a new one
          expect(await timed(() => expectFailure(store.loadLabels(SESSION), 'store.unavailable'))).to.be.below(1_500);
          await expectFailure(store.appendLabels(SESSION, [LABEL]), 'store.unavailable');
        } finally {
          await server().cont();
        }
        await eventually(() => store.appendLabels(SESSION, ['after']), { withinMs: 6_000 });
        expect(await store.loadLabels(SESSION)).to.include.members(['before', 'after']);
      });

      it('a server that is killed rejects, and is used after its restart', async () => {
        const store = storeWith(options);
        await store.appendLabels(SESSION, ['before']);
        await server().kill();
        const ms = await timed(async () => {
          await expectFailure(store.loadLabels(SESSION), 'store.unavailable');
          await expectFailure(store.appendLabels(SESSION, [LABEL]), 'store.unavailable');
        });
        expect(ms).to.be.below(2_500);
        await server().restart();
        await eventually(() => store.appendLabels(SESSION, ['after']));
        expect(await store.loadLabels(SESSION)).to.deep.equal(['after']);
      });
    });
  }

  describe('unreachable', () => {
    it('a closed port rejects within the connect deadline', async () => {
      const store = storeWith({ endpoint: `127.0.0.1:${await freePort()}` });
      for (const call of [() => store.loadLabels(SESSION), () => store.appendLabels(SESSION, [LABEL])]) {
        expect(await timed(() => expectFailure(call(), 'store.unavailable'))).to.be.below(1_500);
      }
    });

    it('a server that starts after the store is used', async () => {
      await server().kill();
      const store = storeWith();
      await expectFailure(store.loadLabels(SESSION), 'store.unavailable');
      await server().restart();
      expect(await eventually(() => store.loadLabels(SESSION))).to.deep.equal([]);
    });

    it('a machine that vanished silently is given up for its successor', async () => {
      const proxy = await CountingProxy.start(server());
      try {
        const store = storeWith({ endpoint: proxy.url, connectTimeoutMs: 500, commandTimeoutMs: 200 });
        await store.appendLabels(SESSION, [LABEL]);
        proxy.abandonConnections();
        await expectFailure(store.loadLabels(SESSION), 'store.timeout');
        await eventually(async () => expect(await store.loadLabels(SESSION)).to.deep.equal([LABEL]), {
          withinMs: 6_000,
        });
      } finally {
        await proxy.close();
      }
    });

    it('a machine that vanishes during the connect is given up as well', async () => {
      const proxy = await CountingProxy.start(server());
      try {
        const store = storeWith({ endpoint: proxy.url, connectTimeoutMs: 500, commandTimeoutMs: 200 });
        const first = expectFailure(store.loadLabels(SESSION), 'store.unavailable');
        await eventually(() => proxy.connections === 1, { everyMs: 0 });
        proxy.abandonConnections();
        await first;
        await eventually(async () => expect(await store.loadLabels(SESSION)).to.deep.equal([]), { withinMs: 6_000 });
      } finally {
        await proxy.close();
      }
    });

    it('repeated connection losses leave no listeners behind', async function () {
      this.timeout(20_000);
      const { code, stdout, stderr } = await runModule(
        `
        import { Redis } from 'ioredis';
        import { ValkeySessionStore } from './lib/valkey.ts';
        const admin = new Redis(process.env.ENDPOINT);
        const store = new ValkeySessionStore({ endpoint: process.env.ENDPOINT, connectTimeoutMs: 2000 });
        const connections = async () => Number(/total_connections_received:(\\d+)/.exec(await admin.info('stats'))[1]);
        await store.loadLabels('s');
        const before = await connections();
        for (let round = 0; round < 15; round += 1) {
          await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
          await new Promise((resolve) => setTimeout(resolve, 5));
          for (let loaded = false; !loaded; ) {
            loaded = await store.loadLabels('s').then(() => true, () => false);
          }
        }
        console.log(await connections() - before);
        await store.close();
        admin.disconnect();`,
        { ENDPOINT: server().url },
      );
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      expect(Number(stdout)).to.be.at.least(15);
    });

    it('calls that fail during an outage leave nothing behind', async function () {
      this.timeout(30_000);
      const { code, stdout, stderr } = await runModule(
        `
        import { setFlagsFromString } from 'node:v8';
        import { runInNewContext } from 'node:vm';
        import { ValkeySessionStore } from './lib/valkey.ts';
        setFlagsFromString('--expose-gc');
        const gc = runInNewContext('gc');
        const store = new ValkeySessionStore({ endpoint: '127.0.0.1:1', connectTimeoutMs: 1 });
        const fail = async (calls) => {
          for (let done = 0; done < calls; done += 1000) {
            await Promise.all(Array.from({ length: 1000 }, () => store.loadLabels('s').catch(() => {})));
          }
          await new Promise((resolve) => setTimeout(resolve, 20));
          gc();
          return process.memoryUsage().heapUsed;
        };
        const before = await fail(20_000);
        const after = await fail(60_000);
        await store.close();
        console.log(Math.round((after - before) / 60_000));`,
        {},
        25_000,
      );
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      // bytes for each call
      expect(Number(stdout)).to.be.below(50);
    });
  });

  describe('a TTL refresh that fails is alarmed, and the labels count', () => {
    const expectAlarm = (alarms: readonly Alarm[]): Promise<unknown> =>
      eventually(() => {
        expect(alarms).to.have.length(1);
        expect(alarms[0]).to.include({ alarm: 'session_store_ttl_refresh_failed' }).and.be.frozen;
        for (const secret of SECRETS) expect(inspect(alarms, { depth: 10 })).to.not.include(secret);
      });

    it('a user without the right to EXPIRE', async () => {
      await server().admin.sadd(KEY, LABEL);
      await server().admin.call('ACL', 'SETUSER', 'user-of-test', 'reset', 'on', '>hunter2', '~*', '+@all', '-expire');
      const store = storeWith({ endpoint: server().urlFor('user-of-test', 'hunter2'), ttlSeconds: 60 });
      const alarms = alarmsOf(store);
      expect(await store.loadLabels(SESSION)).to.deep.equal([LABEL]);
      await expectAlarm(alarms);
      // but an append that cannot set the TTL is a failed append
      await expectFailure(store.appendLabels(SESSION, [LABEL]), 'store.not_permitted');
      await server().admin.call('ACL', 'DELUSER', 'user-of-test');
    });

    describe('between SMEMBERS and EXPIRE', () => {
      let proxy: CountingProxy;
      let store: ValkeySessionStore;
      let alarms: Alarm[];
      const splitAt = (release: () => Promise<void>): void => {
        proxy.split = { marker: '*3\r\n$6\r\nexpire\r\n', release };
      };
      beforeEach(async () => {
        proxy = await CountingProxy.start(server());
        await server().admin.sadd(KEY, LABEL);
        store = storeWith({ endpoint: proxy.url, ttlSeconds: 60, connectTimeoutMs: 1_000, commandTimeoutMs: 300 });
        alarms = alarmsOf(store);
        await store.loadLabels('another');
      });
      afterEach(() => proxy.close());

      it('the key vanishes', async () => {
        let split = false;
        splitAt(async () => {
          split = true;
          await eventually(async () => (await server().admin.info('commandstats')).includes('cmdstat_smembers'));
          await server().admin.unlink(KEY);
        });
        await server().admin.config('RESETSTAT');
        expect(await store.loadLabels(SESSION)).to.deep.equal([LABEL]);
        expect(split).to.equal(true);
        await expectAlarm(alarms);
      });

      it('the connection is lost', async () => {
        splitAt(() => new Promise(() => {}));
        setTimeout(() => proxy.cutConnections(), 150);
        expect(await store.loadLabels(SESSION)).to.deep.equal([LABEL]);
        await expectAlarm(alarms);
      });

      it('the reply does not come in time', async () => {
        splitAt(() => new Promise(() => {}));
        expect(await store.loadLabels(SESSION)).to.deep.equal([LABEL]);
        await expectAlarm(alarms);
        await eventually(() => store.loadLabels(SESSION));
      });
    });

    it('a listener that throws does not stop the other listeners', async () => {
      await server().admin.call('ACL', 'SETUSER', 'user-of-test', 'reset', 'on', '>hunter2', '~*', '+@all', '-expire');
      await server().admin.sadd(KEY, LABEL);
      const store = storeWith({ endpoint: server().urlFor('user-of-test', 'hunter2'), ttlSeconds: 60 });
      store.onAlarm(() => {
        throw new Error('a broken listener');
      });
      const alarms = alarmsOf(store);
      expect(await store.loadLabels(SESSION)).to.deep.equal([LABEL]);
      await expectAlarm(alarms);
      await server().admin.call('ACL', 'DELUSER', 'user-of-test');
    });
  });

  it('an append that timed out may be applied or not, both are safe', async () => {
    const store = storeWith({ connectTimeoutMs: 1_000, commandTimeoutMs: 100 });
    await store.loadLabels(SESSION);
    await server().stop();
    try {
      await expectFailure(store.appendLabels(SESSION, [LABEL]), 'store.timeout');
    } finally {
      await server().cont();
    }
    await eventually(() => store.appendLabels(SESSION, [LABEL]), { withinMs: 6_000 });
    expect(await store.loadLabels(SESSION)).to.deep.equal([LABEL]);
  });
});
