import { expect } from 'chai';
import { sha256Hex } from '../../../../lib/session/digest.js';
import { CountingProxy } from '../../../support/counting-proxy.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { openedStores } from '../../../support/opened-stores.js';
import { describeWithDedicatedValkey } from '../../../support/valkey.js';

const KEY = `taint:v1:${sha256Hex('s')}`;

describeWithDedicatedValkey('G4: labels are read from a primary only', (server) => {
  let proxy: CountingProxy | undefined;
  const storeWith = openedStores(() => ({ endpoint: server().url, retry: false, commandTimeoutMs: 2_000 }));
  const demote = (): Promise<unknown> => server().admin.call('REPLICAOF', '127.0.0.1', '1');
  const promote = (): Promise<unknown> => server().admin.call('REPLICAOF', 'NO', 'ONE');

  beforeEach(() => server().flush());
  afterEach(async () => {
    await promote();
    await proxy?.close();
    proxy = undefined;
  });

  /** A server before Valkey 8 does not know CLIENT CAPA; one that may not be asked it is the same to the store. */
  const LOGINS = [
    { server: 'that refuses reads when demoted (CLIENT CAPA)', endpoint: async () => server().url },
    {
      server: 'that has to be asked for its role',
      endpoint: async () => {
        await server().admin.call('ACL', 'SETUSER', 'old', 'reset', 'on', '>pass', '~*', '+@all', '-client|capa');
        return server().urlFor('old', 'pass');
      },
    },
  ];

  for (const { server: kind, endpoint } of LOGINS) {
    for (const { ttl, options } of [
      { ttl: 'without a TTL', options: {} },
      { ttl: 'with a TTL', options: { ttlSeconds: 60 } },
    ]) {
      describe(`a server ${kind}, ${ttl}`, () => {
        it('a load on a connection older than the demotion rejects', async () => {
          const store = storeWith({ ...options, endpoint: await endpoint() });
          await store.appendLabels('s', ['before']);
          await demote();
          const error = await rejectionOf(store.loadLabels('s'));
          expect(error).to.have.property('code', 'store.command_failed');
          expect(error).to.have.property('message').that.includes('replica');
          // that it is one is known now, whatever the command
          expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.unavailable');
        });

        it('an append rejects, and the error says why', async () => {
          const store = storeWith({ ...options, endpoint: await endpoint() });
          await store.appendLabels('s', ['before']);
          await demote();
          const error = await rejectionOf(store.appendLabels('s', ['after']));
          expect(error).to.have.property('code', 'store.command_failed');
          expect(error)
            .to.have.property('message')
            .that.matches(/replica/);
        });

        it('loads during the demotion return every label, or reject', async () => {
          const store = storeWith({ ...options, endpoint: await endpoint() });
          await store.appendLabels('s', ['before']);
          const loads = Array.from({ length: 200 }, async (_, index) => {
            if (index === 100) await demote();
            return store.loadLabels('s').catch(() => 'rejected');
          });
          for (const result of await Promise.all(loads)) {
            if (result !== 'rejected') expect(result).to.deep.equal(['before']);
          }
        });

        it('works again when the server is a primary again', async () => {
          const store = storeWith({ ...options, endpoint: await endpoint() });
          await store.appendLabels('s', ['before']);
          await demote();
          await rejectionOf(store.loadLabels('s'));
          await promote();
          await eventually(() => store.appendLabels('s', ['after']));
          expect(await store.loadLabels('s')).to.have.members(['before', 'after']);
        });
      });
    }

    it(`a connection to a replica ${kind} is not used, and the error says so`, async () => {
      await server().admin.sadd(KEY, 'stale');
      await demote();
      const store = storeWith({ endpoint: await endpoint() });
      const error = await rejectionOf(store.loadLabels('s'));
      expect(error).to.have.property('code', 'store.unavailable');
      expect(error).to.have.property('message').that.includes('the server is a replica');
    });
  }

  it('replicas are not reconnected to in a tight loop', async () => {
    await demote();
    proxy = await CountingProxy.start(server());
    proxy.latencyMs = 0;
    const store = storeWith({ endpoint: proxy.url, connectTimeoutMs: 2_000 });
    await rejectionOf(store.loadLabels('s'));
    // without a pause that grows there would be hundreds
    expect(proxy.connections).to.be.within(2, 30);
  });

  for (const { what, login, hellos } of [
    { what: 'nothing where the server refuses reads itself', login: 0, hellos: 0 },
    { what: 'one question for all loads of a turn where it has to be asked, in their round trip', login: 1, hellos: 1 },
  ]) {
    it(`costs ${what}`, async () => {
      const url = new URL(await (LOGINS[login] ?? expect.fail('there is such a login')).endpoint());
      proxy = await CountingProxy.start({ url: url.href, host: server().host, port: server().port });
      const store = storeWith({ endpoint: proxy.url, ttlSeconds: 60, connectTimeoutMs: 2_000 });
      await store.appendLabels('s', ['a']);
      await server().admin.config('RESETSTAT');
      const trips = await proxy.countRoundTrips(async () => {
        await Promise.all(Array.from({ length: 20 }, () => store.loadLabels('s')));
        await store.appendLabels('s', ['b']);
      });
      const stats = await server().admin.info('commandstats');
      expect(trips).to.equal(2);
      expect(Number(/cmdstat_hello:calls=(\d+)/.exec(stats)?.[1] ?? 0)).to.equal(hellos);
    });
  }
});
