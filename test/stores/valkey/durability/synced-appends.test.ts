import { expect } from 'chai';
import type { AplSessionError } from '../../../../lib/contract/errors.js';
import { CountingProxy } from '../../../support/counting-proxy.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { openedStores } from '../../../support/opened-stores.js';
import { describeWithDedicatedValkey } from '../../../support/valkey.js';

const SYNCED: ReadonlyArray<readonly [name: string, value: string]> = [
  ['appendonly', 'yes'],
  ['appendfsync', 'always'],
  ['no-appendfsync-on-rewrite', 'no'],
];

describeWithDedicatedValkey("durability: { local: 'synced' }", (server) => {
  let proxy: CountingProxy;
  const storeWith = openedStores(() => ({
    endpoint: proxy.url,
    connectTimeoutMs: 2_000,
    commandTimeoutMs: 2_000,
    durability: { local: 'synced' },
  }));
  const set = async (settings: Iterable<readonly [string, string]>): Promise<void> => {
    for (const [name, value] of settings) await server().admin.config('SET', name, value);
  };
  const isWritten = async (): Promise<boolean> =>
    /aof_rewrite_in_progress:0.*aof_current_size:[1-9]/s.test(await server().admin.info('persistence'));
  const failureOf = async (promise: Promise<unknown>): Promise<AplSessionError> =>
    (await rejectionOf(promise)) as AplSessionError;

  before(async () => {
    proxy = await CountingProxy.start(server());
  });
  beforeEach(async () => {
    await set(SYNCED);
    await eventually(isWritten, { withinMs: 20_000 });
  });
  after(() => proxy.close());

  it('appends and loads work where each reply waits for its fsync', async () => {
    const store = storeWith();
    await store.appendLabels('synced', ['secret']);
    expect(await store.loadLabels('synced')).to.deep.equal(['secret']);
    expect((await store.check()).find(({ name }) => name === 'append_fsync')).to.include({ status: 'ok' });
  });

  for (const [name, value, fault] of [
    ['appendfsync', 'everysec', 'appendfsync is everysec; set it to always'],
    ['appendfsync', 'no', 'appendfsync is no; set it to always'],
    ['appendonly', 'no', 'appendonly is no; set it to yes'],
    ['no-appendfsync-on-rewrite', 'yes', 'no-appendfsync-on-rewrite is yes; set it to no'],
  ] as const) {
    it(`G2: with ${name} ${value} appends fail, and loads work`, async () => {
      await set([[name, value]]);
      const store = storeWith();
      const failure = await failureOf(store.appendLabels('not synced', ['secret']));
      expect(failure.code).to.equal('store.not_synced');
      expect(failure.message).to.include(fault);
      expect(await store.loadLabels('never')).to.deep.equal([]);
      expect((await failureOf(store.ready())).code).to.equal('store.not_synced');
    });
  }

  it('G2: appends fail until the first append-only file is complete', async function () {
    this.timeout(30_000);
    const { admin } = server();
    await admin.config('SET', 'appendonly', 'no');
    // writing the file then takes longer than a call
    await admin.call('DEBUG', 'POPULATE', '2000000');
    const store = storeWith();
    const append = (): Promise<void> => store.appendLabels('first file', ['secret']);
    expect((await failureOf(append())).message).to.include('appendonly is no');
    await admin.config('SET', 'appendonly', 'yes');
    expect((await failureOf(append())).message).to.include('its first append-only file is not complete');
    await eventually(append, { withinMs: 20_000, everyMs: 100 });
    expect(await admin.info('persistence')).to.include('aof_rewrite_in_progress:0');
    await server().flush();
  });

  it('the self-check warns about a server that is not synced', async () => {
    await set([['appendfsync', 'everysec']]);
    const store = storeWith();
    const alarms: string[] = [];
    store.onAlarm(({ alarm, error }) => alarms.push(`${alarm}: ${error}`));
    await store.loadLabels('any');
    await eventually(() => expect(alarms).to.have.length(1));
    expect(alarms[0]).to.include('session_store_not_durable').and.to.include("'durability.local' demands it");
  });

  it('G2: appends fail for a user who may not read the settings, with the fix', async () => {
    const rights = ['~taint:v1:*', '+smembers', '+sadd', '+echo', '+client|capa'];
    await server().admin.call('ACL', 'SETUSER', 'few', 'reset', 'on', '>secret', ...rights);
    const { host } = new URL(proxy.url);
    const store = storeWith({ endpoint: host, username: 'few', password: 'secret' });
    const failure = await failureOf(store.appendLabels('unknown', ['secret']));
    expect(failure.code).to.equal('store.not_synced');
    expect(failure.message).to.include("grant the user of the store '+config|get +info'");
    await server().admin.call('ACL', 'SETUSER', 'few', '+config|get');
    await failureOf(store.appendLabels('unknown', ['secret']));
    await server().admin.call('ACL', 'SETUSER', 'few', '+info');
    await store.appendLabels('unknown', ['secret']);
  });

  it('G2: a change of the running server is noticed, in both directions', async function () {
    this.timeout(20_000);
    const store = storeWith();
    const append = (): Promise<void> => store.appendLabels('changing', ['secret']);
    await append();
    await set([['appendfsync', 'everysec']]);
    await eventually(async () => expect((await failureOf(append())).code).to.equal('store.not_synced'));
    await set([['appendfsync', 'always']]);
    await append();
  });

  it('costs no round trip', async () => {
    const store = storeWith();
    await store.ready();
    expect(await proxy.countRoundTrips(() => store.appendLabels('one trip', ['a']))).to.equal(1);
    expect(await proxy.countRoundTrips(() => store.loadLabels('one trip'))).to.equal(1);
    const ttl = storeWith({ ttlSeconds: 60 });
    expect(await proxy.countRoundTrips(() => ttl.appendLabels('first append', ['a']))).to.be.at.most(2);
    expect(await proxy.countRoundTrips(() => ttl.appendLabels('with TTL', ['a']))).to.equal(1);
  });
});
