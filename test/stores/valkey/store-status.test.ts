import { expect } from 'chai';
import { Redis } from 'ioredis';
import type { Alarm, StoreStatus } from '../../../lib/index.js';
import type { ValkeySessionStore, ValkeySessionStoreOptions } from '../../../lib/valkey.js';
import { isOfCalls } from '../../support/alarms.js';
import { CountingProxy } from '../../support/counting-proxy.js';
import { eventually, rejectionOf } from '../../support/eventually.js';
import { openedStores } from '../../support/opened-stores.js';
import { describeWithDedicatedValkey } from '../../support/valkey.js';
import { freePort } from '../../support/valkey-servers.js';

const FAST = { connectTimeoutMs: 300, commandTimeoutMs: 300 };

describeWithDedicatedValkey('status() and ping() of a ValkeySessionStore', (server) => {
  const open = openedStores(() => FAST);
  const storeWith = (options: ValkeySessionStoreOptions = {}): ValkeySessionStore =>
    open({ ...(options.client === undefined && { endpoint: server().url }), ...options });
  const alarmsOf = (store: ValkeySessionStore): Alarm[] => {
    const alarms: Alarm[] = [];
    store.onAlarm((alarm) => void (isOfCalls(alarm) && alarms.push(alarm)));
    return alarms;
  };
  const address = (): string => `${server().host}:${server().port}`;
  const isSoon = (iso: string): boolean => Math.abs(Date.parse(iso) - Date.now()) < 5_000;

  describe('status()', () => {
    it('before the first call: not connected, and no failure', () => {
      const { since, ...status } = storeWith().status();
      expect(isSoon(since)).to.equal(true);
      expect(status).to.deep.equal({
        connected: false,
        topology: 'single',
        primaries: [address()],
        addresses: [address()],
        circuit: 'off',
        latency: { count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 },
        findings: [],
      });
    });

    it('counts the answered calls, and their time', async () => {
      const proxy = await CountingProxy.start(server());
      proxy.latencyMs = 20;
      const store = storeWith({ endpoint: proxy.url });
      await store.appendLabels('s', ['a']);
      await store.loadLabels('s');
      const { connected, latency } = store.status();
      expect(connected).to.equal(true);
      expect(latency).to.include({ count: 2 });
      expect(latency?.p50Ms).to.be.within(20, 250);
      await proxy.close();
    });

    it('tells of a lost server without a call, since when and why, and of its return', async () => {
      const store = storeWith();
      await store.ready();
      const before = store.status();
      expect(before).to.include({ connected: true });
      await server().kill();
      const lost = await eventually<StoreStatus>(() => {
        const status = store.status();
        expect(status).to.include({ connected: false });
        expect(status.lastFailure?.reason).to.equal('ECONNREFUSED');
        return status;
      });
      expect(lost.lastFailure?.code).to.equal('store.unavailable');
      expect(isSoon(lost.lastFailure?.at ?? '')).to.equal(true);
      expect(lost.since >= before.since).to.equal(true);
      expect(store.status().since).to.equal(lost.since);
      await server().restart();
      await eventually(() => expect(store.status()).to.include({ connected: true }));
      expect(store.status().lastFailure?.code).to.equal('store.unavailable');
    });

    it('has the code of a call that failed', async () => {
      const store = storeWith();
      await store.ready();
      await server().admin.config('SET', 'maxmemory', '1');
      await rejectionOf(store.appendLabels('s', ['a']));
      await server().admin.config('SET', 'maxmemory', '0');
      expect(store.status().lastFailure).to.include({ code: 'store.command_failed' });
      expect(store.status().lastFailure?.reason).to.match(/OOM/);
    });

    it('an append that never reached the server is no result: the login fails', async () => {
      const store = storeWith({ endpoint: server().urlFor('default', 'wrong-password') });
      await server().admin.call('ACL', 'SETUSER', 'default', 'resetpass', '>right-password');
      try {
        expect(await rejectionOf(store.appendLabels('s', ['a']))).to.include({ code: 'store.login_failed' });
        expect(store.status()).to.not.have.property('lastAppend');
      } finally {
        await server().admin.call('ACL', 'SETUSER', 'default', 'resetpass', 'nopass');
      }
    });

    it('has the result of the last append that the server has answered', async () => {
      const store = storeWith();
      await store.loadLabels('s');
      expect(store.status()).to.not.have.property('lastAppend');
      await store.appendLabels('s', ['a']);
      expect(store.status()).to.include({ lastAppend: 'ok' });
      await server().admin.config('SET', 'maxmemory', '1');
      await rejectionOf(store.appendLabels('s', ['b']));
      await server().admin.config('SET', 'maxmemory', '0');
      await store.loadLabels('s');
      expect(store.status()).to.include({ lastAppend: 'failed' });
      await store.appendLabels('s', ['b']);
      await server().kill();
      await rejectionOf(store.appendLabels('s', ['c']));
      await server().restart();
      expect(store.status()).to.include({ lastAppend: 'ok' });
    });

    it('follows the circuit: open, half-open when its time is over, closed', async () => {
      const port = await freePort();
      const store = storeWith({
        endpoint: `127.0.0.1:${port}`,
        connectTimeoutMs: 50,
        circuitBreaker: { consecutiveFailures: 1, halfOpenAfterMs: 400 },
      });
      expect(store.status()).to.include({ circuit: 'closed' });
      await rejectionOf(store.loadLabels('s'));
      expect(store.status()).to.include({ circuit: 'open' });
      await eventually(() => expect(store.status()).to.include({ circuit: 'half_open' }));
    });

    it('holds no credential, session id or label', async () => {
      await server().admin.call('ACL', 'SETUSER', 'reader', 'reset', 'on', '>hunter2', '~*', '+@all');
      const store = storeWith({ endpoint: server().urlFor('reader', 'hunter2') });
      await store.appendLabels('session-of-alice', ['secret-label']);
      await server().admin.call('ACL', 'SETUSER', 'reader', '-sadd');
      await rejectionOf(store.appendLabels('session-of-alice', ['secret-label']));
      const shown = JSON.stringify(store.status());
      expect(shown).to.include('store.not_permitted').and.to.include(address());
      for (const secret of ['hunter2', 'reader', 'session-of-alice', 'secret-label']) {
        expect(shown).to.not.include(secret);
      }
    });

    it('knows the address of a client, and is frozen', async () => {
      const client = new Redis(server().url, { lazyConnect: true });
      const status = storeWith({ client }).status();
      expect(status).to.deep.include({ topology: 'single', primaries: [address()], addresses: [] });
      for (const part of [status, status.latency, status.primaries, status.findings]) expect(part).to.be.frozen;
      client.disconnect();
    });

    it('after close(): not connected', async () => {
      const store = storeWith();
      await store.ready();
      await store.close();
      expect(store.status()).to.include({ connected: false });
    });
  });

  it('a TTL refresh that succeeds again is a recovery', async () => {
    const rights = ['~taint:v1:*', '+smembers', '+sadd', '+multi', '+exec', '+echo', '+client|capa'];
    await server().admin.call('ACL', 'SETUSER', 'short', 'reset', 'on', '>pass', ...rights, '+expire');
    const store = storeWith({ endpoint: server().urlFor('short', 'pass'), ttlSeconds: 60 });
    const alarms = alarmsOf(store);
    await store.appendLabels('s', ['a']);
    await server().admin.call('ACL', 'SETUSER', 'short', '-expire');
    for (let round = 0; round < 2; round += 1) await store.loadLabels('s');
    await eventually(() => expect(alarms).to.have.length(2));
    await server().admin.call('ACL', 'SETUSER', 'short', '+expire');
    await store.loadLabels('s');
    await eventually(() => expect(alarms).to.have.length(3));
    expect(alarms[1]).to.include({ alarm: 'session_store_ttl_refresh_failed' });
    expect(alarms[2]).to.include({
      alarm: 'session_store_recovered',
      after: 'session_store_ttl_refresh_failed',
      failures: 2,
    });
  });

  describe('ping()', () => {
    it('resolves with the time, and writes nothing', async () => {
      const store = storeWith();
      const before = await server().admin.dbsize();
      expect(await store.ping())
        .to.be.a('number')
        .and.to.be.within(0, 600);
      expect(await server().admin.dbsize()).to.equal(before);
    });

    it('needs no more permissions than a load', async () => {
      await server().admin.call('ACL', 'SETUSER', 'least', 'reset', 'on', '>pass', '~taint:v1:*', '+smembers', '+sadd');
      const store = storeWith({ endpoint: server().urlFor('least', 'pass') });
      expect(await store.ping()).to.be.a('number');
      await server().admin.call('ACL', 'SETUSER', 'least', '-smembers');
      expect(await rejectionOf(store.ping())).to.have.property('code', 'store.not_permitted');
    });

    it('notices a primary that has become a replica, also without +client|capa', async () => {
      await server().admin.call('ACL', 'SETUSER', 'least', 'reset', 'on', '>pass', '~taint:v1:*', '+smembers', '+role');
      const stores = [storeWith(), storeWith({ endpoint: server().urlFor('least', 'pass') })];
      for (const store of stores) await store.ping();
      await server().admin.call('REPLICAOF', '127.0.0.1', '1');
      try {
        for (const store of stores) await rejectionOf(store.ping());
      } finally {
        await server().admin.call('REPLICAOF', 'NO', 'ONE');
      }
      for (const store of stores) await eventually(() => store.ping());
    });

    it('rejects in time with the code, is not retried, and raises no alarm', async () => {
      const store = storeWith();
      const alarms = alarmsOf(store);
      await store.ready();
      await server().stop();
      const startedMs = performance.now();
      try {
        expect(await rejectionOf(store.ping())).to.have.property('code', 'store.timeout');
        expect(performance.now() - startedMs).to.be.within(290, 1_200);
      } finally {
        await server().cont();
      }
      await eventually(() => store.ping());
      await server().kill();
      expect(await rejectionOf(store.ping())).to.have.property('code', 'store.unavailable');
      await server().restart();
      await eventually(() => store.ping());
      expect(alarms).to.deep.equal([]);
    });

    it('neither opens the circuit nor closes it', async () => {
      const port = await freePort();
      const store = storeWith({
        endpoint: `127.0.0.1:${port}`,
        connectTimeoutMs: 20,
        circuitBreaker: { consecutiveFailures: 2, halfOpenAfterMs: 60_000 },
      });
      const alarms = alarmsOf(store);
      for (let round = 0; round < 4; round += 1) await rejectionOf(store.ping());
      expect(store.status()).to.include({ circuit: 'closed' });
      for (let round = 0; round < 2; round += 1) await rejectionOf(store.loadLabels('s'));
      expect(store.status()).to.include({ circuit: 'open' });
      expect(await rejectionOf(store.ping())).to.have.property('code', 'store.unavailable');
      expect(alarms.map((alarm) => 'state' in alarm && alarm.state)).to.deep.equal(['open']);
    });

    it('does not end a call that began after it and has time left', async () => {
      const proxy = await CountingProxy.start(server());
      const store = storeWith({ endpoint: proxy.url, commandTimeoutMs: 600, retry: false });
      await store.appendLabels('s', ['a']);
      await server().stop();
      expect(await rejectionOf(store.ping())).to.have.property('code', 'store.timeout');
      const loading = store.loadLabels('s');
      await server().cont();
      expect(await loading).to.deep.equal(['a']);
      expect(proxy.connections).to.equal(1);
      await proxy.close();
    });

    it('leaves a connection whose other end has vanished', async () => {
      const proxy = await CountingProxy.start(server());
      const store = storeWith({ endpoint: proxy.url, commandTimeoutMs: 100 });
      await store.ping();
      proxy.abandonConnections();
      expect(await rejectionOf(store.ping())).to.have.property('code', 'store.timeout');
      await eventually(() => store.ping());
      await proxy.close();
    });

    it('rejects with store.closed after close()', async () => {
      const store = storeWith();
      await store.close();
      expect(await rejectionOf(store.ping())).to.have.property('code', 'store.closed');
    });
  });
});
