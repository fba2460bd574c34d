import { expect } from 'chai';
import type { Alarm } from '../../../lib/index.js';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../../lib/valkey.js';
import { isOfCalls } from '../../support/alarms.js';
import { eventually, rejectionOf } from '../../support/eventually.js';
import { openedStores, PATIENT } from '../../support/opened-stores.js';
import { describeWithSecureValkey } from '../../support/secure-valkey.js';
import { describeWithDedicatedValkey } from '../../support/valkey.js';

describeWithDedicatedValkey('ValkeySessionStore.ready()', (server) => {
  const storeWith = openedStores(() => ({ endpoint: server().url, ...PATIENT }));
  const connections = async (): Promise<number> =>
    Number(/^total_connections_received:(\d+)/m.exec(await server().admin.info('stats'))?.[1]);

  it('connects with one load, and the next call makes no other connection', async () => {
    const store = storeWith({ ttlSeconds: 60 });
    expect(await server().countCommands(() => store.ready())).to.deep.equal({ smembers: 1 });
    await store.ready();
    await store.appendLabels('s', ['a']);
    expect(await store.loadLabels('s')).to.deep.equal(['a']);
    expect(await connections(), 'since countCommands() has reset the counters').to.equal(1);
    expect(await server().admin.dbsize(), 'it writes nothing').to.equal(1);
  });

  it('rejects with store.closed after close()', async () => {
    const store = storeWith();
    await store.close();
    expect(await rejectionOf(store.ready())).to.have.property('code', 'store.closed');
  });

  it('rejects with store.login_failed for a wrong password', async () => {
    const store = storeWith({ endpoint: server().urlFor('nobody', 'wrong'), connectTimeoutMs: 500 });
    expect(await rejectionOf(store.ready())).to.have.property('code', 'store.login_failed');
  });

  it('rejects within its deadline while Valkey hangs, without an alarm, and succeeds later', async function () {
    this.timeout(20_000);
    const store = storeWith({ connectTimeoutMs: 50, commandTimeoutMs: 50 });
    const alarms: Alarm[] = [];
    store.onAlarm((alarm) => isOfCalls(alarm) && alarms.push(alarm));
    await server().stop();
    try {
      const error = await rejectionOf(store.ready());
      expect(error).to.have.property('code').that.is.oneOf(['store.unavailable', 'store.timeout']);
    } finally {
      await server().cont();
    }
    await eventually(() => store.ready());
    expect(alarms).to.deep.equal([]);
  });

  it('rejects with store.unavailable while Valkey is down, and the same store works afterwards', async function () {
    this.timeout(20_000);
    await server().kill();
    const store = storeWith({ connectTimeoutMs: 100 });
    try {
      expect(await rejectionOf(store.ready())).to.have.property('code', 'store.unavailable');
    } finally {
      await server().restart();
    }
    await eventually(() => store.ready());
    expect(await store.loadLabels('s')).to.deep.equal([]);
  });
});

describeWithSecureValkey('ValkeySessionStore.ready() over TLS, as an ACL user', (server) => {
  const rejectedCode = async (options: ValkeySessionStoreOptions): Promise<unknown> => {
    const store = new ValkeySessionStore({ ...server().options, ...PATIENT, ...options });
    try {
      return await store.ready().then(
        () => 'ready',
        (error: { code: string }) => error.code,
      );
    } finally {
      await store.close();
    }
  };

  it('needs no right that the store does not need', async () => {
    await server().grant('~taint:v1:*', '+smembers', '+sadd', '+echo', '+client|capa', '+info', '+config|get');
    expect(await rejectedCode({})).to.equal('ready');
    expect(await server().denied()).to.deep.equal([]);
  });

  it('rejects with store.not_permitted without the right to load', async () => {
    await server().grant('~taint:v1:*', '+sadd');
    expect(await rejectedCode({})).to.equal('store.not_permitted');
  });

  it('rejects with store.certificate_untrusted for the certificate of another authority', async () => {
    await server().grant('~taint:v1:*', '+smembers');
    const { ca: _ca, ...tls } = server().options.tls as { ca?: unknown };
    expect(await rejectedCode({ tls, connectTimeoutMs: 500 })).to.equal('store.certificate_untrusted');
  });
});
