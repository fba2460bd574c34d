import { expect } from 'chai';
import { sha256Hex } from '../../../../lib/session/digest.js';
import type { ValkeySessionStoreOptions } from '../../../../lib/stores/valkey/config/valkey-config.js';
import { ValkeySessionStore } from '../../../../lib/stores/valkey/valkey-session-store.js';
import { alarmsOf } from '../../../support/alarms.js';
import { CountingProxy, type Fault } from '../../../support/counting-proxy.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { describeWithDedicatedValkey } from '../../../support/valkey.js';

const KEY = `taint:v1:${sha256Hex('s')}`;
const LOSSES: readonly Fault[] = ['reset', 'half a reply, then end', 'half a reply, then reset'];

describeWithDedicatedValkey('retry of a call to Valkey', (server) => {
  let proxy: CountingProxy;
  let store: ValkeySessionStore;
  const open = async (options: Partial<ValkeySessionStoreOptions> = {}): Promise<ValkeySessionStore> => {
    store = new ValkeySessionStore({
      endpoint: proxy.url,
      connectTimeoutMs: 1_500,
      commandTimeoutMs: 500,
      ...options,
    });
    await store.appendLabels('s', ['before']);
    return store;
  };
  /** How often the server refused a command before running it. */
  const rejections = async (command: string): Promise<number> => {
    const stats = await server().admin.info('commandstats');
    return Number(new RegExp(`cmdstat_${command}:.*rejected_calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  };

  beforeEach(async () => {
    await server().flush();
    proxy = await CountingProxy.start(server());
    proxy.latencyMs = 1;
  });
  afterEach(async () => {
    await store.close();
    await proxy.close();
  });

  it('calls whose connection closes while the process pauses are retried', async () => {
    store = new ValkeySessionStore({ endpoint: server().url, connectTimeoutMs: 250, commandTimeoutMs: 250 });
    await eventually(() => store.loadLabels('s'));
    const closed = server().admin.call('CLIENT', 'KILL', 'TYPE', 'normal');
    const loads = Promise.all(Array.from({ length: 20 }, () => store.loadLabels('s')));
    // they leave at the end of this turn of the event loop
    await new Promise(setImmediate);
    const startedMs = performance.now();
    while (performance.now() - startedMs < 800);
    expect(await loads).to.have.length(20);
    await closed;
  });

  for (const { ttl, options } of [
    { ttl: 'without a TTL', options: {} },
    { ttl: 'with a TTL', options: { ttlSeconds: 60 } },
  ]) {
    describe(ttl, () => {
      for (const fault of LOSSES) {
        it(`a load whose connection is lost (${fault}) succeeds on the next one`, async () => {
          await open(options);
          const alarms = alarmsOf(store);
          const { connections } = proxy;
          proxy.faultOnce = fault;
          expect(await store.loadLabels('s')).to.deep.equal(['before']);
          expect(proxy.connections).to.equal(connections + 1);
          expect(alarms).to.deep.equal([]);
        });

        it(`an append whose connection is lost (${fault}) succeeds on the next one`, async () => {
          await open(options);
          proxy.faultOnce = fault;
          await store.appendLabels('s', ['after']);
          expect((await server().admin.smembers(KEY)).sort()).to.deep.equal(['after', 'before']);
        });

        it(`retry: false rejects both (${fault})`, async () => {
          await open({ ...options, retry: false });
          proxy.faultOnce = fault;
          expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.unavailable');
          await store.loadLabels('s');
          proxy.faultOnce = fault;
          expect(await rejectionOf(store.appendLabels('s', ['a']))).to.have.property('code', 'store.unavailable');
        });
      }

      it('all calls that a lost connection hits are retried', async () => {
        await open(options);
        proxy.faultOnce = 'half a reply, then reset';
        const calls = Array.from({ length: 100 }, (_, index) =>
          index % 2 ? store.loadLabels('s') : store.appendLabels('s', [`label-${index}`]),
        );
        await Promise.all(calls);
        expect(await store.loadLabels('s')).to.have.length(51);
      });
    });
  }

  it('the retry ends at the deadline of the call, with the first failure', async () => {
    await open({ connectTimeoutMs: 200, commandTimeoutMs: 200 });
    proxy.faultOnce = 'reset';
    const call = rejectionOf(store.loadLabels('s'));
    await eventually(() => proxy.faultOnce === undefined, { everyMs: 0 });
    proxy.fault = 'black hole';
    const start = performance.now();
    const error = await call;
    expect(performance.now() - start).to.be.below(1_300);
    expect(error).to.have.property('code', 'store.unavailable');
    expect(error).to.have.property('message').that.does.not.include('within');
  });

  it('the retry gets the rest of the deadline, and no new one', async () => {
    await open({ connectTimeoutMs: 200, commandTimeoutMs: 1_500 });
    const marker = '*2\r\n$8\r\nsmembers\r\n';
    const never = (): Promise<void> => new Promise(() => {});
    const release = (): Promise<void> => {
      proxy.split = { marker, release: never };
      setTimeout(() => proxy.cutConnections(), 1_200);
      return never();
    };
    proxy.split = { marker, release };
    const start = performance.now();
    expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.unavailable');
    expect(proxy.split, 'the retry was under way').to.equal(undefined);
    // 1,700 ms are the deadline; a whole attempt more would end after 2,700
    expect(performance.now() - start).to.be.within(1_500, 2_500);
  });

  it('a call right after one that timed out waits for the new connection', async () => {
    await open({ commandTimeoutMs: 100, retry: false });
    proxy.abandonConnections();
    expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.timeout');
    expect(await store.loadLabels('s')).to.deep.equal(['before']);
  });

  it('there is at most one retry', async () => {
    await open();
    await server().admin.config('RESETSTAT');
    await server().admin.config('SET', 'key-load-delay', '2000', 'loading-process-events-interval-bytes', '1024');
    await server().admin.call('DEBUG', 'POPULATE', '1000', 'filler', '32');
    const other = server().admin.duplicate();
    const reload = other.call('DEBUG', 'RELOAD');
    await eventually(async () => (await server().admin.info('persistence')).includes('loading:1'));
    expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.command_failed');
    await server().admin.config('SET', 'key-load-delay', '0');
    await reload;
    other.disconnect();
    expect(await rejections('smembers')).to.equal(2);
  });

  it('a refused command is not retried', async () => {
    await open();
    await server().admin.config('RESETSTAT');
    await server().admin.config('SET', 'maxmemory', '1');
    try {
      await rejectionOf(store.appendLabels('s', ['a']));
    } finally {
      await server().admin.config('SET', 'maxmemory', '0');
    }
    expect(await rejections('sadd')).to.equal(1);
  });

  it('a call whose deadline has passed is not retried', async () => {
    await open({ commandTimeoutMs: 100 });
    const counts = await server().countCommands(async () => {
      proxy.fault = 'no replies';
      expect(await rejectionOf(store.appendLabels('s', ['a']))).to.have.property('code', 'store.timeout');
    });
    proxy.fault = undefined;
    expect(counts).to.deep.equal({ sadd: 1 });
  });

  describeWithDedicatedValkey('with another server to fail over to', (successor) => {
    for (const { act, ttlSeconds } of [
      { act: 'load', ttlSeconds: undefined },
      { act: 'append', ttlSeconds: undefined },
      { act: 'load', ttlSeconds: 60 },
      { act: 'append', ttlSeconds: 60 },
    ]) {
      it(`G4: ${act}${ttlSeconds ? ' with a TTL' : ''}: a failover behind one address costs no call`, async () => {
        await open({ ...(ttlSeconds && { ttlSeconds }) });
        await successor().flush();
        await successor().admin.sadd(KEY, 'before', 'written to the successor');
        proxy.target = successor();
        await server().admin.call('REPLICAOF', '127.0.0.1', String(successor().port));
        try {
          if (act === 'append') await store.appendLabels('s', ['after']);
          expect(await store.loadLabels('s')).to.include('written to the successor');
          expect(await successor().admin.sismember(KEY, 'after')).to.equal(act === 'append' ? 1 : 0);
        } finally {
          await server().admin.call('REPLICAOF', 'NO', 'ONE');
        }
      });
    }
  });
});
