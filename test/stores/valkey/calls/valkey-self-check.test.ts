import { expect } from 'chai';
import type { Alarm } from '../../../../lib/contract/alarms.js';
import type { StoreFinding } from '../../../../lib/contract/store-status.js';
import type { ValkeySessionStoreOptions } from '../../../../lib/stores/valkey/config/valkey-config.js';
import type { ValkeySessionStore } from '../../../../lib/stores/valkey/valkey-session-store.js';
import { CountingProxy } from '../../../support/counting-proxy.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { runModule } from '../../../support/node-child.js';
import { openedStores, PATIENT } from '../../../support/opened-stores.js';
import { describeWithDedicatedValkey } from '../../../support/valkey.js';
import { freePort } from '../../../support/valkey-servers.js';

const SOUND = { 'maxmemory-policy': 'noeviction', appendonly: 'yes', appendfsync: 'everysec' };

describeWithDedicatedValkey('self-check of a ValkeySessionStore', (server) => {
  let proxy: CountingProxy;
  const open = openedStores(() => ({ endpoint: server().url, ...PATIENT }));
  const storeWith = (
    options: ValkeySessionStoreOptions = {},
  ): { readonly store: ValkeySessionStore; readonly alarms: Alarm[] } => {
    const store = open(options);
    const alarms: Alarm[] = [];
    store.onAlarm((alarm) => alarms.push(alarm));
    return { store, alarms };
  };
  const configure = (settings: Readonly<Record<string, string>>): Promise<unknown> =>
    server().admin.config('SET', ...Object.entries(settings).flat());
  const login = async (...rules: string[]): Promise<string> => {
    await server().admin.call('ACL', 'SETUSER', 'limited', 'reset', 'on', '>pass', '~*', '+@all', ...rules);
    return server().urlFor('limited', 'pass');
  };
  const named = (findings: readonly StoreFinding[], name: string): StoreFinding =>
    findings.find((finding) => finding.name === name) ?? expect.fail(`no finding is named ${name}`);

  beforeEach(async () => {
    await configure({ ...SOUND, maxmemory: '0' });
    await server().flush();
    await server().admin.config('RESETSTAT');
    proxy = await CountingProxy.start(server());
  });
  afterEach(async () => {
    await proxy.close();
  });

  it('a suitable server: every finding is ok, with no fix and no alarm', async () => {
    const { store, alarms } = storeWith();
    const findings = await store.check();
    expect(findings.map(({ name, status, fix }) => ({ name, status, fix }))).to.deep.equal(
      ['eviction_policy', 'evicted_keys', 'append_only_file', 'append_fsync', 'role', 'server_version'].map((name) => ({
        name,
        status: 'ok',
        fix: undefined,
      })),
    );
    expect(findings).to.be.frozen;
    expect(alarms).to.deep.equal([]);
  });

  for (const { name, settings, alarm, words } of [
    {
      name: 'eviction_policy',
      settings: { 'maxmemory-policy': 'allkeys-lru' },
      alarm: 'session_store_unsafe_eviction',
      words: /allkeys-lru.*noeviction/,
    },
    {
      name: 'append_only_file',
      settings: { appendonly: 'no' },
      alarm: 'session_store_not_durable',
      words: /appendonly to yes/,
    },
    {
      name: 'append_fsync',
      settings: { appendfsync: 'no' },
      alarm: 'session_store_not_durable',
      words: /appendfsync is no.*everysec/,
    },
  ]) {
    it(`${name}: a warning with its fix, and ${alarm}`, async () => {
      await configure(settings);
      const { store, alarms } = storeWith();
      await store.loadLabels('s');
      await eventually(() => expect(alarms).to.have.length(1));
      const finding = named(await store.check(), name);
      expect(finding).to.include({ status: 'warning' }).and.to.be.frozen;
      expect(finding.fix).to.be.a('string').and.not.empty;
      expect(alarms).to.have.length(1);
      expect(alarms[0]).to.include({ alarm }).and.to.be.frozen;
      expect(alarms[0]).to.have.property('error').that.matches(words);
    });
  }

  it('evicted_keys: a warning, though the policy was mended since', async () => {
    await configure({ 'maxmemory-policy': 'allkeys-random' });
    for (let index = 0; index < 20; index += 1) await server().admin.set(`filler:${index}`, 'x'.repeat(1_000));
    await configure({ maxmemory: '1' });
    await eventually(async () => expect(await server().admin.info('stats')).to.match(/evicted_keys:[1-9]/));
    await configure({ maxmemory: '0', 'maxmemory-policy': 'noeviction' });
    const { store, alarms } = storeWith();
    const findings = await store.check();
    expect(named(findings, 'evicted_keys')).to.include({ status: 'warning' });
    expect(named(findings, 'eviction_policy')).to.include({ status: 'ok' });
    expect(alarms.at(-1)).to.include({ alarm: 'session_store_unsafe_eviction' });
  });

  it('a server that refuses CONFIG: what INFO lacks is unknown, no alarm', async () => {
    const { store, alarms } = storeWith({ endpoint: await login('-config') });
    const findings = await store.check();
    expect(named(findings, 'append_fsync')).to.include({ status: 'unknown' }).and.to.have.property('fix');
    expect(findings.filter(({ status }) => status === 'ok')).to.have.length(5);
    expect(alarms).to.deep.equal([]);
  });

  it('a server that refuses INFO: CONFIG answers what it can', async () => {
    await configure({ 'maxmemory-policy': 'volatile-ttl' });
    const { store } = storeWith({ endpoint: await login('-info') });
    const findings = await store.check();
    expect(named(findings, 'eviction_policy')).to.include({ status: 'warning' });
    expect(named(findings, 'append_fsync')).to.include({ status: 'ok' });
    expect(named(findings, 'server_version')).to.include({ status: 'unknown' });
  });

  it('a server that refuses both: all is unknown, and requests are served', async () => {
    const { store, alarms } = storeWith({ endpoint: await login('-info', '-config') });
    await store.appendLabels('s', ['a']);
    expect(await store.loadLabels('s')).to.deep.equal(['a']);
    expect(new Set((await store.check()).map(({ status }) => status))).to.deep.equal(new Set(['unknown']));
    expect(alarms).to.deep.equal([]);
  });

  it('refuses nothing: with every warning, loads and appends work', async () => {
    await configure({ 'maxmemory-policy': 'allkeys-lru', appendonly: 'no', appendfsync: 'no' });
    const { store, alarms } = storeWith();
    await store.appendLabels('s', ['a']);
    expect(await store.loadLabels('s')).to.deep.equal(['a']);
    await eventually(() => expect(alarms).to.have.length(3));
  });

  const reconnect = async (store: ValkeySessionStore): Promise<void> => {
    const { connections } = proxy;
    const checks = await asked();
    proxy.cutConnections();
    await eventually(async () => {
      await store.loadLabels('s');
      expect(proxy.connections).to.be.greaterThan(connections);
      expect(await asked()).to.be.greaterThan(checks);
    });
    await store.loadLabels('s');
  };
  const asked = async (): Promise<number> =>
    Number(/cmdstat_config\|get:calls=(\d+)/.exec(await server().admin.info('commandstats'))?.[1] ?? 0);

  it('happens at each connection, and reports only what has changed', async () => {
    proxy.latencyMs = 1;
    await configure({ appendonly: 'no' });
    const { store, alarms } = storeWith({ endpoint: proxy.url });
    expect(proxy.connections).to.equal(0);
    await store.loadLabels('s');
    await eventually(() => expect(alarms).to.have.length(1));
    for (let round = 0; round < 3; round += 1) await reconnect(store);
    expect(alarms).to.have.length(1);
  });

  it('a connection to a less suitable server raises what is new, once', async () => {
    proxy.latencyMs = 1;
    await configure({ appendonly: 'no' });
    const { store, alarms } = storeWith({ endpoint: proxy.url });
    await store.loadLabels('s');
    await eventually(() => expect(alarms).to.have.length(1));
    await configure({ 'maxmemory-policy': 'allkeys-lru' });
    await reconnect(store);
    await reconnect(store);
    await eventually(() => expect(alarms).to.have.length(2));
    expect(alarms.map(({ alarm }) => alarm)).to.deep.equal([
      'session_store_not_durable',
      'session_store_unsafe_eviction',
    ]);
  });

  it('a finding of check() is not raised again by the next connection', async () => {
    proxy.latencyMs = 1;
    const { store, alarms } = storeWith({ endpoint: proxy.url });
    await store.loadLabels('s');
    await configure({ appendonly: 'no' });
    await store.check();
    await reconnect(store);
    expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['session_store_not_durable']);
  });

  it('check() raises a known warning again only with repeatAlarms', async () => {
    await configure({ appendonly: 'no' });
    const { store, alarms } = storeWith();
    await store.check();
    await store.check();
    expect(alarms).to.have.length(1);
    await store.check({ repeatAlarms: true });
    expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['session_store_not_durable', 'session_store_not_durable']);
    await configure({ 'maxmemory-policy': 'allkeys-lru' });
    await store.check({ repeatAlarms: true });
    expect(alarms.slice(2).map(({ alarm }) => alarm)).to.have.members([
      'session_store_not_durable',
      'session_store_unsafe_eviction',
    ]);
  });

  it('a mended warning is a recovery, once, by check() and by a connection', async () => {
    proxy.latencyMs = 1;
    const { store, alarms } = storeWith({ endpoint: proxy.url });
    for (const look of [() => store.check(), () => reconnect(store)]) {
      await configure({ appendonly: 'no' });
      await store.check();
      await configure(SOUND);
      alarms.length = 0;
      await look();
      await look();
      await eventually(() => expect(alarms).to.not.be.empty);
      expect(alarms).to.have.length(1);
      expect(alarms[0]).to.include({
        alarm: 'session_store_recovered',
        after: 'session_store_not_durable',
        failures: 1,
      });
      expect(alarms[0]).to.have.property('durationMs').that.is.a('number').and.is.at.least(0);
      expect(alarms[0]).to.be.frozen;
    }
  });

  it('status() has the findings of the last check', async () => {
    await configure({ appendonly: 'no' });
    const { store } = storeWith();
    expect(store.status().findings).to.deep.equal([]);
    const findings = await store.check();
    expect(store.status().findings).to.deep.equal(findings);
    expect(named(findings, 'append_only_file').status).to.equal('warning');
  });

  it('adds no round trip: it is sent with the first command', async () => {
    const { store } = storeWith({ endpoint: proxy.url });
    await store.loadLabels('s');
    await server().admin.config('RESETSTAT');
    expect(await proxy.countRoundTrips(() => store.loadLabels('s'))).to.equal(1);
    const stats = await server().admin.info('commandstats');
    expect([...stats.matchAll(/cmdstat_(\S+?):calls/g)].map(([, name]) => name)).to.have.members([
      'smembers',
      'echo',
      'config|resetstat',
    ]);
    expect(await proxy.countRoundTrips(() => store.check())).to.equal(1);
  });

  it('check() rejects within the deadlines if Valkey does not answer', async () => {
    const { store } = storeWith({ endpoint: `127.0.0.1:${await freePort()}`, connectTimeoutMs: 100 });
    expect(await rejectionOf(store.check())).to.have.property('code', 'store.unavailable');
    await store.close();
    expect(await rejectionOf(store.check())).to.have.property('code', 'store.closed');
  });

  for (const { what, act } of [
    { what: 'answered', act: `await store.loadLabels('s');` },
    { what: 'interrupted by close()', act: `void store.loadLabels('s').catch(() => {});` },
    {
      what: 'interrupted by the loss of the connection',
      act: `
        const lost = new Promise((resolve) => {
          proxy.split = { marker: 'appendfsync', release: async () => resolve(proxy.resetConnections()) };
        });
        const loading = store.loadLabels('s').catch(() => {});
        await lost;
        await loading;`,
    },
  ]) {
    it(`does not block the exit, and rejects nothing, when ${what}`, async function () {
      this.timeout(20_000);
      const { code, signal, stderr } = await runModule(
        `
        import { CountingProxy } from './test/support/counting-proxy.ts';
        import { ValkeySessionStore } from './lib/valkey.ts';
        const proxy = await CountingProxy.start({ url: process.env.ENDPOINT, host: '127.0.0.1', port: Number(process.env.PORT) });
        const store = new ValkeySessionStore({ endpoint: proxy.url });
        ${act}
        await store.close();
        await proxy.close();`,
        { ENDPOINT: server().url, PORT: String(server().port) },
      );
      expect({ code, signal, stderr }).to.deep.equal({ code: 0, signal: null, stderr: '' });
    });
  }
});
