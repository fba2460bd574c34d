import { expect } from 'chai';
import ioredis6 from 'ioredis';
import ioredis5 from 'ioredis5';
import iovalkey from 'iovalkey';
import { AplSessionError } from '../../../../lib/contract/errors.js';
import { sha256Hex } from '../../../../lib/session/digest.js';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../../../lib/valkey.js';
import { CountingProxy } from '../../../support/counting-proxy.js';
import { eventually, rejectionOf, thrownBy } from '../../../support/eventually.js';
import { PATIENT } from '../../../support/opened-stores.js';
import { describeWithSecureValkey } from '../../../support/secure-valkey.js';
import { describeWithDedicatedValkey } from '../../../support/valkey.js';
import { describeSessionStoreContract } from '../../session-store-contract.js';

/** The members of the three clients that these tests use. */
interface Client {
  readonly status: string;
  readonly commandQueue: { readonly length: number };
  readonly offlineQueue: {
    readonly length: number;
    toArray(): ReadonlyArray<{ readonly command: { readonly name: string } }>;
  };
  readonly options: object;
  set(key: string, value: string): Promise<unknown>;
  call(...words: string[]): Promise<unknown>;
  disconnect(): void;
  eventNames(): readonly unknown[];
  listenerCount(event: string): number;
  on(event: 'error', listener: () => void): unknown;
}
type ClientClass = new (options: object) => Client;

/** A client that has just been connected to may wait there with questions of its own. */
function queuedIn({ offlineQueue }: Client): string[] {
  return offlineQueue.toArray().map(({ command }) => command.name);
}

const CLIENTS: ReadonlyArray<readonly [name: string, client: ClientClass]> = [
  ['ioredis 6', ioredis6.default as unknown as ClientClass],
  ['ioredis 5', ioredis5.default as unknown as ClientClass],
  ['iovalkey', iovalkey.default as unknown as ClientClass],
];

for (const [name, ClientClass] of CLIENTS) {
  describeWithSecureValkey(`ValkeySessionStore on a client of ${name}, over TLS, with the fewest rights`, (server) => {
    const clients: Client[] = [];
    const connect = (): Client => {
      const { tls, username, password } = server().options;
      const port = Number(server().endpoint.split(':')[1]);
      const client = new ClientClass({
        port,
        tls,
        username,
        password,
        enableReadyCheck: false,
        retryStrategy: () => 20,
      });
      clients.push(client);
      return client;
    };
    beforeEach(() => server().plain.flush());
    afterEach(() => {
      for (const client of clients.splice(0)) client.disconnect();
    });

    for (const { mode, options, rights } of [
      { mode: 'without a TTL', options: {}, rights: ['+smembers', '+sadd'] },
      { mode: 'with a TTL', options: { ttlSeconds: 60 }, rights: ['+smembers', '+sadd', '+expire', '+multi', '+exec'] },
    ]) {
      describe(mode, () => {
        before(() => server().grant('~taint:v1:*', ...rights));
        describeSessionStoreContract('contract', {
          open: () => new ValkeySessionStore({ client: connect(), ...PATIENT, ...options }),
          limit: true,
          close: true,
          check: true,
          // without a TTL the user has no right to expire keys
          ...('ttlSeconds' in options && {
            ttl: {
              open: (ttlSeconds) => new ValkeySessionStore({ client: connect(), ...PATIENT, ...options, ttlSeconds }),
            },
          }),
          countBackendCalls: async (action) => {
            const counts = await server().plain.countCommands(action);
            return Object.values(counts).reduce((sum, count) => sum + count, 0);
          },
        });
      });
    }
  });

  describeWithDedicatedValkey(`ValkeySessionStore with a client of ${name}: the client is the caller's`, (server) => {
    let client: Client;
    let store: ValkeySessionStore;
    const start = (clientOptions: object = {}, options: ValkeySessionStoreOptions = {}): void => {
      client = new ClientClass({
        host: server().host,
        port: server().port,
        retryStrategy: () => 20,
        ...clientOptions,
      });
      client.on('error', () => {});
      store = new ValkeySessionStore({ client, connectTimeoutMs: 300, commandTimeoutMs: 200, ...options });
    };
    const ownConnections = async (): Promise<number> =>
      String(await server().admin.call('CLIENT', 'LIST')).split('name=express-apl-session ').length - 1;
    beforeEach(() => server().flush());
    afterEach(async () => {
      await store.close();
      client.disconnect();
    });

    it('close() ends the connection of the store, and not the client', async () => {
      start();
      await store.appendLabels('s', ['a']);
      expect(await ownConnections()).to.equal(1);
      await store.close();
      expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.closed');
      expect(await client.set('theirs', '1')).to.equal('OK');
      await eventually(async () => (await ownConnections()) === 0);
    });

    it('does not connect the client, and adds no listener to it', async () => {
      start({ lazyConnect: true });
      const listeners = client.eventNames().length;
      expect(await store.loadLabels('s')).to.deep.equal([]);
      expect(client.status).to.equal('wait');
      expect(client.eventNames().length).to.equal(listeners);
    });

    it('eleven stores of one client cause no listener warning', async () => {
      start();
      const warnings: Error[] = [];
      const onWarning = (warning: Error): void => void warnings.push(warning);
      process.on('warning', onWarning);
      const stores = Array.from({ length: 11 }, () => new ValkeySessionStore({ client }));
      await Promise.all(stores.map((each) => each.appendLabels('s', ['a'])));
      await Promise.all(stores.map((each) => each.close()));
      process.off('warning', onWarning);
      expect(warnings).to.deep.equal([]);
    });

    it('its queues stay empty while the server hangs, and calls reject', async () => {
      start();
      await store.appendLabels('s', ['a']);
      await server().stop();
      try {
        expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.timeout');
        for (let round = 0; round < 3; round += 1) {
          const calls = Array.from({ length: 20 }, () => rejectionOf(store.appendLabels('s', ['b'])));
          for (const error of await Promise.all(calls)) expect(error).to.have.property('code', 'store.unavailable');
        }
        expect(client.commandQueue.length + client.offlineQueue.length).to.equal(0);
        expect(client.status).to.equal('ready');
      } finally {
        await server().cont();
      }
      await eventually(async () => expect(await store.loadLabels('s')).to.include('a'));
    });

    it('a server that is gone: calls reject in time, nothing is queued', async () => {
      start({ maxRetriesPerRequest: null });
      await store.appendLabels('s', ['a']);
      await server().kill();
      await eventually(() => client.status !== 'ready');
      const error = await rejectionOf(store.appendLabels('s', ['b']));
      expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'store.unavailable');
      expect(queuedIn(client)).to.not.include('sadd').and.not.include('hello');
      await server().restart();
      await eventually(() => store.appendLabels('s', ['c']));
    });

    it('a silent connection is replaced within a second', async () => {
      const proxy = await CountingProxy.start(server());
      try {
        start({ host: '127.0.0.1', port: Number(new URL(proxy.url).port) }, { connectTimeoutMs: 1_000 });
        await store.appendLabels('s', ['a']);
        proxy.abandonConnections();
        const silentSince = performance.now();
        expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.timeout');
        expect(await store.loadLabels('s')).to.deep.equal(['a']);
        expect(performance.now() - silentSince).to.be.below(1_000);
      } finally {
        await proxy.close();
      }
    });

    it('a store that is closed during the connect sends nothing', async () => {
      start();
      const call = rejectionOf(store.appendLabels('s', ['a']));
      await store.close();
      expect(await call).to.have.property('code', 'store.closed');
      expect(await server().admin.dbsize()).to.equal(0);
    });

    it('a wrong password of the store rejects with store.login_failed', async () => {
      start({ username: 'nobody', password: 'hunter2' });
      const error = await rejectionOf(store.loadLabels('s'));
      expect(error).to.have.property('code', 'store.login_failed');
      expect((error as Error).message).to.not.include('hunter2');
    });

    it('stringNumbers, auto-pipelining and a timeout change nothing', async () => {
      start({ stringNumbers: true, enableAutoPipelining: true, commandTimeout: 1, enableOfflineQueue: false });
      await store.appendLabels('s', ['a']);
      expect(await store.loadLabels('s')).to.deep.equal(['a']);
    });

    for (const { what, move } of [
      { what: 'SELECT', move: () => client.call('SELECT', '1') },
      { what: 'CLIENT REPLY OFF', move: () => void client.call('CLIENT', 'REPLY', 'OFF').catch(() => {}) },
      { what: 'SUBSCRIBE', move: () => client.call('subscribe', 'news') },
      { what: 'RESET', move: () => client.call('RESET').catch(() => {}) },
      {
        what: 'other options',
        move: () =>
          Object.assign(client.options, { db: 1, host: '192.0.2.1', port: 1, keyPrefix: 'app:', role: 'slave' }),
      },
      { what: 'its end', move: () => client.disconnect() },
    ]) {
      it(`G4: ${what} on the client does not move the labels`, async () => {
        start();
        await store.appendLabels('s', ['before']);
        await move();
        for (let load = 0; load < 3; load += 1) expect(await store.loadLabels('s')).to.deep.equal(['before']);
        await store.appendLabels('s', ['after']);
        // the next connection is the same
        await server().admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await eventually(async () => expect(await store.loadLabels('s')).to.have.members(['before', 'after']));
        expect(await server().admin.scard(`taint:v1:${sha256Hex('s')}`)).to.equal(2);
      });
    }

    it('a new password of the client is used for the next connection', async () => {
      await server().admin.call('ACL', 'SETUSER', 'rotating', 'reset', 'on', '>first', '~*', '+@all');
      start({ username: 'rotating', password: 'first' });
      await store.appendLabels('s', ['a']);
      await server().admin.call('ACL', 'SETUSER', 'rotating', 'resetpass', '>second');
      Object.assign(client.options, { password: 'second' });
      await server().admin.call('CLIENT', 'KILL', 'USER', 'rotating');
      await eventually(async () => expect(await store.loadLabels('s')).to.deep.equal(['a']));
    });

    describeWithDedicatedValkey('beside another server', (successor) => {
      for (const { what, reconnectOnError } of [
        {
          what: 'a client that reconnects on READONLY',
          reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
        },
        { what: 'a client that does not' },
      ]) {
        it(`G4: a failover that keeps connections is followed: ${what}`, async () => {
          const proxy = await CountingProxy.start(server());
          try {
            const { port } = new URL(proxy.url);
            start({ host: '127.0.0.1', port: Number(port), ...(reconnectOnError && { reconnectOnError }) });
            await store.appendLabels('s', ['before']);
            proxy.target = successor();
            await successor().admin.call('FLUSHALL');
            await successor().admin.sadd(`taint:v1:${sha256Hex('s')}`, 'before', 'after');
            await server().admin.call('REPLICAOF', '127.0.0.1', '1');
            expect(await store.loadLabels('s')).to.have.members(['before', 'after']);
          } finally {
            await server().admin.call('REPLICAOF', 'NO', 'ONE');
            await proxy.close();
          }
        });
      }
    });
  });

  describe(`a client of ${name} is refused`, () => {
    for (const { what, options } of [
      { what: 'with a keyPrefix', options: { keyPrefix: 'app:' } },
      { what: 'that is readOnly', options: { readOnly: true } },
      { what: 'that asks Sentinel for a replica', options: { role: 'slave' } },
      {
        what: 'that does not hear of failovers from Sentinel',
        options: { sentinels: [{ host: '127.0.0.1', port: 26_379 }], name: 'labels' },
      },
      {
        what: 'that has TLS for the server that Sentinels name, and would not use it',
        options: { sentinels: [{ port: 26_379 }], name: 'labels', failoverDetector: true, tls: {} },
      },
      { what: 'that trusts any certificate', options: { tls: { rejectUnauthorized: false } } },
      { what: 'that trusts by a number', options: { tls: { rejectUnauthorized: 0 } } },
      { what: 'that checks names itself', options: { tls: { checkServerIdentity: () => undefined } } },
      { what: 'that trusts any Sentinel', options: { sentinelTLS: { rejectUnauthorized: false } } },
    ]) {
      it(what, () => {
        const client = new ClientClass({ lazyConnect: true, ...options });
        const error = thrownBy(() => new ValkeySessionStore({ client }));
        expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
        expect((error as Error).message).to.match(/'client' /);
        expect(client.listenerCount('ready')).to.equal(0);
      });
    }
  });
}

describe('other objects are refused as client', () => {
  const cluster = (options: object): object => new ioredis6.Cluster(['localhost'], { lazyConnect: true, ...options });
  for (const { what, client } of [
    { what: 'null', client: null },
    { what: 'an empty object', client: {} },
    { what: 'a text', client: 'redis://localhost' },
    { what: 'a client of another library', client: { isOpen: true, sMembers: () => {}, sAdd: () => {} } },
    { what: 'a cluster that reads from replicas', client: cluster({ scaleReads: 'slave' }) },
    { what: 'a cluster that reads from all', client: cluster({ scaleReads: 'all' }) },
    { what: 'a cluster with a keyPrefix', client: cluster({ keyPrefix: 'app:' }) },
    {
      what: 'a cluster whose nodes trust any certificate',
      client: cluster({ redisOptions: { tls: { rejectUnauthorized: false } } }),
    },
    { what: 'a cluster that is found by SRV records', client: cluster({ useSRVRecords: true }) },
    { what: 'a cluster whose nodes have one', client: cluster({ redisOptions: { keyPrefix: 'app:' } }) },
  ]) {
    it(what, () => {
      const error = thrownBy(() => new ValkeySessionStore({ client } as ValkeySessionStoreOptions));
      expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
    });
  }

  for (const options of [{ endpoint: 'localhost' }, { tls: true }, { username: 'u' }, { password: 'hunter2' }]) {
    it(`a client beside ${Object.keys(options)[0]}`, () => {
      const client = new ioredis6.default({ lazyConnect: true });
      const error = thrownBy(() => new ValkeySessionStore({ client, ...options }));
      expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
      expect((error as Error).message).to.not.include('hunter2');
    });
  }
});
