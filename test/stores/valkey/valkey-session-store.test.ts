import { expect } from 'chai';
import { ValkeySessionStore } from '../../../lib/stores/valkey/valkey-session-store.js';
import { alarmsOf } from '../../support/alarms.js';
import { CountingProxy } from '../../support/counting-proxy.js';
import { eventually, rejectionOf } from '../../support/eventually.js';
import { runModule } from '../../support/node-child.js';
import { openedStores, PATIENT } from '../../support/opened-stores.js';
import { PARITY_VECTORS } from '../../support/parity-vectors.js';
import { describeWithValkey } from '../../support/valkey.js';
import { describeSessionStoreContract } from '../session-store-contract.js';

describeWithValkey('ValkeySessionStore', (server) => {
  const storeWith = openedStores(() => ({ endpoint: server().url, ...PATIENT }));
  beforeEach(() => server().flush());
  for (const { what, options } of [
    { what: 'without a TTL', options: {} },
    { what: 'with a TTL', options: { ttlSeconds: 60 } },
    { what: 'with provenance', options: { provenance: true } },
    { what: 'with a TTL and provenance', options: { ttlSeconds: 60, provenance: true } },
  ]) {
    describeSessionStoreContract(`contract, ${what}`, {
      open: () => new ValkeySessionStore({ endpoint: server().url, ...PATIENT, ...options }),
      limit: true,
      close: true,
      check: true,
      provenance: 'provenance' in options,
      ttl: {
        open: (ttlSeconds) => new ValkeySessionStore({ endpoint: server().url, ...PATIENT, ...options, ttlSeconds }),
      },
      countBackendCalls: async (action) => {
        const counts = await server().countCommands(action);
        return Object.values(counts).reduce((sum, count) => sum + count, 0);
      },
    });
  }

  for (const fault of ['refused', 'black hole'] as const) {
    describe(`with an outage (${fault})`, () => {
      let proxy: CountingProxy;
      before(async () => {
        proxy = await CountingProxy.start(server());
      });
      after(() => proxy.close());

      describeSessionStoreContract('contract', {
        open: () => new ValkeySessionStore({ endpoint: proxy.url, connectTimeoutMs: 600, commandTimeoutMs: 600 }),
        limit: true,
        close: true,
        check: true,
        outage: {
          start: async () => {
            if (fault === 'refused') await proxy.refuse();
            else proxy.fault = fault;
          },
          end: async () => {
            proxy.fault = undefined;
            if (fault === 'refused') await proxy.listen();
          },
        },
      });
    });
  }

  for (const ttlSeconds of [undefined, 60]) {
    it(`an append of too many labels rejects only itself, ${ttlSeconds ? 'with' : 'without'} a TTL`, async () => {
      const store = storeWith({ maxLabelsPerSession: 1_000_000, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) });
      await store.appendLabels('other', ['a']);
      const appending = rejectionOf(
        store.appendLabels(
          's',
          Array.from({ length: 200_000 }, (_, n) => `label ${n}`),
        ),
      );
      const loading = store.loadLabels('other');
      expect(await appending).to.be.instanceOf(Error);
      expect(await loading).to.deep.equal(['a']);
      await store.appendLabels('other', ['b']);
      expect(await store.loadLabels('other')).to.have.members(['a', 'b']);
    });
  }

  describe('shares its keys with CPEX', () => {
    for (const { name, id, key } of [
      ...PARITY_VECTORS,
      {
        name: 'a raw id',
        id: 'sess-ttl',
        key: 'taint:v1:32c8896e25eb7cb65fed3c2e719c150247f679fdf59fadb3f7af94e69d36abd1',
      },
    ]) {
      it(`writes a set at the key of the vector "${name}", and nothing else`, async () => {
        await storeWith().appendLabels(id, ['PII', 'injection']);
        expect(await server().admin.keys('*')).to.deep.equal([key]);
        expect(await server().admin.type(key)).to.equal('set');
        expect((await server().admin.smembers(key)).sort()).to.deep.equal(['PII', 'injection']);
      });

      it(`reads what CPEX would write at the key of the vector "${name}"`, async () => {
        await server().admin.sadd(key, 'PII', 'séance-✓');
        expect((await storeWith().loadLabels(id)).sort()).to.deep.equal(['PII', 'séance-✓']);
        expect((await storeWith({ ttlSeconds: 60 }).loadLabels(id)).sort()).to.deep.equal(['PII', 'séance-✓']);
      });
    }

    it('G5: concurrent appends of CPEX and a store are united', async () => {
      const { id, key } = PARITY_VECTORS[0] ?? expect.fail('there are vectors');
      const store = storeWith();
      await Promise.all([
        server().admin.multi().sadd(key, 'rust').exec(),
        store.appendLabels(id, ['node']),
        server().admin.multi().sadd(key, 'both').exec(),
        store.appendLabels(id, ['both']),
      ]);
      expect((await store.loadLabels(id)).sort()).to.deep.equal(['both', 'node', 'rust']);
    });

    it('keyPrefix replaces the part before the hash', async () => {
      await storeWith({ keyPrefix: 'app:x' }).appendLabels('sess-ttl', ['a']);
      expect(await server().admin.keys('*')).to.deep.equal([
        'app:x:32c8896e25eb7cb65fed3c2e719c150247f679fdf59fadb3f7af94e69d36abd1',
      ]);
    });

    it('two prefixes are isolated', async () => {
      await storeWith({ keyPrefix: 'one' }).appendLabels('s', ['a']);
      expect(await storeWith({ keyPrefix: 'two' }).loadLabels('s')).to.deep.equal([]);
    });
  });

  describe('TTL', () => {
    const KEY = 'taint:v1:32c8896e25eb7cb65fed3c2e719c150247f679fdf59fadb3f7af94e69d36abd1';

    it('is not set without ttlSeconds', async () => {
      await storeWith().appendLabels('sess-ttl', ['a']);
      expect(await server().admin.ttl(KEY)).to.equal(-1);
    });

    it('a store without ttlSeconds leaves the TTL of another writer alone', async () => {
      await storeWith({ ttlSeconds: 100 }).appendLabels('sess-ttl', ['a']);
      const store = storeWith();
      await store.appendLabels('sess-ttl', ['b']);
      await store.loadLabels('sess-ttl');
      expect(await server().admin.ttl(KEY)).to.be.within(90, 100);
    });

    it('is set by an append', async () => {
      await storeWith({ ttlSeconds: 100 }).appendLabels('sess-ttl', ['a']);
      expect(await server().admin.ttl(KEY)).to.be.within(99, 100);
    });

    it('is refreshed by an append, also of known labels', async () => {
      const store = storeWith({ ttlSeconds: 100 });
      await store.appendLabels('sess-ttl', ['a']);
      await server().admin.expire(KEY, 10);
      await store.appendLabels('sess-ttl', ['a']);
      expect(await server().admin.ttl(KEY)).to.be.within(99, 100);
    });

    it('is refreshed by a load', async () => {
      const store = storeWith({ ttlSeconds: 100 });
      await store.appendLabels('sess-ttl', ['a']);
      await server().admin.expire(KEY, 10);
      expect(await store.loadLabels('sess-ttl')).to.deep.equal(['a']);
      await eventually(async () => expect(await server().admin.ttl(KEY)).to.be.within(99, 100));
    });

    it('a load of an unknown session creates nothing and raises no alarm', async () => {
      const store = storeWith({ ttlSeconds: 100 });
      const alarms = alarmsOf(store);
      await store.loadLabels('sess-ttl');
      // a second load on the same connection: whatever the first one brought about has happened
      await store.loadLabels('sess-ttl');
      expect(await server().admin.exists(KEY)).to.equal(0);
      expect(alarms).to.deep.equal([]);
    });

    it('a session whose TTL has passed is empty', async () => {
      const store = storeWith({ ttlSeconds: 1 });
      await store.appendLabels('sess-ttl', ['a']);
      await eventually(async () => (await server().admin.exists(KEY)) === 0, { withinMs: 5_000 });
      expect(await store.loadLabels('sess-ttl')).to.deep.equal([]);
    });
  });

  describe('costs', () => {
    let proxy: CountingProxy;
    beforeEach(async () => {
      proxy = await CountingProxy.start(server());
    });
    afterEach(() => proxy.close());

    for (const { what, ttlSeconds, act, commands } of [
      { what: 'a load is one SMEMBERS', act: 'load', commands: { smembers: 1 } },
      {
        what: 'a load with a TTL is SMEMBERS and EXPIRE',
        ttlSeconds: 60,
        act: 'load',
        commands: { smembers: 1, expire: 1 },
      },
      { what: 'an append is one SADD, however many labels', act: 'append', commands: { sadd: 1 } },
      {
        what: 'an append with a TTL is MULTI, SADD, EXPIRE, EXEC',
        ttlSeconds: 60,
        act: 'append',
        commands: { multi: 1, sadd: 1, expire: 1, exec: 1 },
      },
    ]) {
      it(`${what}: one round trip`, async () => {
        const store = storeWith({ endpoint: proxy.url, ...(ttlSeconds && { ttlSeconds }) });
        await store.appendLabels('s', ['a']);
        const counts = await server().countCommands(async () => {
          const roundTrips = await proxy.countRoundTrips(async () => {
            if (act === 'load') await store.loadLabels('s');
            else await store.appendLabels('s', ['b', 'c', 'd']);
          });
          expect(roundTrips).to.equal(1);
        });
        expect(counts).to.deep.equal(commands);
      });
    }

    for (const { mode, options } of [
      { mode: 'retry', options: { retry: true } },
      { mode: 'no retry', options: { retry: false } },
      { mode: 'a circuit breaker', options: { circuitBreaker: {} } },
    ]) {
      for (const ttlSeconds of [undefined, 60]) {
        it(`calls of one turn share one round trip: ${mode}, ${ttlSeconds ? 'with' : 'without'} a TTL`, async () => {
          const store = storeWith({ endpoint: proxy.url, ...options, ...(ttlSeconds && { ttlSeconds }) });
          await store.appendLabels('s', ['a']);
          const trips = await proxy.countRoundTrips(() =>
            Promise.all(
              Array.from({ length: 50 }, (_, index) =>
                index % 2 ? store.loadLabels('s') : store.appendLabels(`s${index}`, ['a']),
              ),
            ),
          );
          expect(trips).to.equal(1);
        });
      }
    }

    it('neither construction nor an empty append opens a connection', async () => {
      const store = storeWith({ endpoint: proxy.url, ttlSeconds: 60 });
      await store.appendLabels('s', []);
      expect(proxy.connections).to.equal(0);
      await store.loadLabels('s');
      expect(proxy.connections).to.equal(1);
    });

    it('concurrent calls share one connection', async () => {
      const store = storeWith({ endpoint: proxy.url });
      await Promise.all(Array.from({ length: 50 }, (_, index) => store.appendLabels(`s${index}`, ['a'])));
      expect(proxy.connections).to.equal(1);
    });
  });

  describe('does not keep the process alive', () => {
    const script = (body: string): string => `
      import { ValkeySessionStore } from './lib/valkey.ts';
      const store = new ValkeySessionStore({ endpoint: process.env.ENDPOINT, ttlSeconds: 60 });
      ${body}`;

    for (const { what, body } of [
      { what: 'after close()', body: `await store.appendLabels('s', ['a']); await store.close();` },
      { what: 'after close() without any call', body: 'await store.close();' },
      { what: 'without any call', body: '' },
      {
        what: 'after close() during a call',
        body: `const call = store.loadLabels('s').catch(() => {}); await store.close(); await call;`,
      },
    ]) {
      it(what, async function () {
        this.timeout(20_000);
        const { code, signal, stderr } = await runModule(script(body), { ENDPOINT: server().url });
        expect({ code, signal, stderr }).to.deep.equal({ code: 0, signal: null, stderr: '' });
      });
    }

    it('after close() while nothing listens', async function () {
      this.timeout(20_000);
      const body = `await store.loadLabels('s').catch((error) => console.log(error.code)); await store.close();`;
      const result = await runModule(script(body), { ENDPOINT: 'localhost:1' });
      expect(result).to.deep.equal({ code: 0, signal: null, stdout: 'store.unavailable\n', stderr: '' });
    });
  });

  it('a call interrupted by close() rejects', async () => {
    const store = storeWith();
    const call = rejectionOf(store.loadLabels('s'));
    await store.close();
    expect(await call)
      .to.have.property('code')
      .that.matches(/^store\.(closed|unavailable)$/);
  });
});
