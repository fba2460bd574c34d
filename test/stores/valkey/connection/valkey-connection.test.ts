import { AsyncLocalStorage } from 'node:async_hooks';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import ioredis from 'ioredis';
import type { Alarm } from '../../../../lib/contract/alarms.js';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../../../lib/valkey.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { bulk, FakeValkey } from '../../../support/fake-valkey.js';

describe('the backoff of a connection', () => {
  it('grows while a server greets and closes at once', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.on('error', () => {});
      socket.setEncoding('latin1').once('data', (text: string) => {
        const nonces = [...text.matchAll(/echo\r\n\$\d+\r\n(\w+)/g)].map((match) => match[1] ?? '');
        const hello = `*2\r\n${bulk('role')}${bulk('master')}`;
        socket.end(`${hello}+OK\r\n${nonces.map(bulk).join('')}`);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const store = new ValkeySessionStore({ endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}` });
    try {
      await rejectionOf(store.loadLabels('s'));
      await sleep(1_000);
      expect(connections).to.be.within(3, 20);
    } finally {
      await store.close();
      server.close();
    }
  });

  it('starts anew after a connection that has answered a call', async () => {
    const fake = await FakeValkey.start();
    const store = new ValkeySessionStore({ endpoint: `127.0.0.1:${fake.port}`, connectTimeoutMs: 2_000 });
    try {
      const startedMs = performance.now();
      for (let lost = 0; lost < 20; lost += 1) {
        await store.loadLabels('s');
        // a reply without a request ends the connection
        fake.say('+OK\r\n');
        await eventually(() => expect(fake.connections).to.be.greaterThan(lost + 1));
      }
      expect(performance.now() - startedMs).to.be.below(2_800);
    } finally {
      await store.close();
      await fake.close();
    }
  });
});

describe('a greeting', () => {
  it('fails at once if the reply to ECHO is missing, and the next one succeeds', async () => {
    const fake = await FakeValkey.start();
    let dropped = 0;
    fake.bend = (command, reply) => {
      if (command !== 'echo' || dropped > 0) return reply;
      dropped += 1;
      return '';
    };
    const store = new ValkeySessionStore({ endpoint: `127.0.0.1:${fake.port}`, connectTimeoutMs: 1_000 });
    try {
      expect(await store.loadLabels('s')).to.deep.equal([]);
      expect(dropped).to.equal(1);
    } finally {
      await store.close();
      await fake.close();
    }
  });
});

describe('the asynchronous context of a connection', () => {
  const request = new AsyncLocalStorage<string>();
  const connections: ReadonlyArray<readonly [string, (port: number) => ValkeySessionStoreOptions]> = [
    ['an endpoint', (port) => ({ endpoint: `127.0.0.1:${port}` })],
    ['a client', (port) => ({ client: new ioredis.default({ port, host: '127.0.0.1', lazyConnect: true }) })],
    [
      'a cluster client',
      (port) => ({ client: new ioredis.Cluster([{ port, host: '127.0.0.1' }], { lazyConnect: true }) }),
    ],
  ];
  for (const [name, optionsFor] of connections) {
    it(`${name}: alarms of the store show the context of its construction, before and after a lost connection`, async () => {
      const fake = await FakeValkey.start();
      let policy = 'allkeys-lru';
      fake.bend = (command, reply) => (command === 'info' ? bulk(`maxmemory_policy:${policy}\r\n`) : reply);
      const options = { ...optionsFor(fake.port), connectTimeoutMs: 1_000, commandTimeoutMs: 100 };
      const store = request.run('construction', () => new ValkeySessionStore(options));
      const seen: Array<readonly [Alarm['alarm'], string | undefined]> = [];
      store.onAlarm(({ alarm }) => seen.push([alarm, request.getStore()]));
      try {
        await request.run('first request', () => store.loadLabels('s'));
        await eventually(() => expect(seen).to.have.length(1));
        // the timeout of this request closes the connection
        fake.ignore = () => true;
        await request.run('second request', () => rejectionOf(store.loadLabels('s')));
        fake.ignore = () => false;
        policy = 'allkeys-lfu';
        await request.run('third request', () => store.loadLabels('s'));
        await eventually(() => expect(seen).to.have.length(2));
        expect(seen).to.deep.equal([
          ['session_store_unsafe_eviction', 'construction'],
          ['session_store_unsafe_eviction', 'construction'],
        ]);
      } finally {
        await store.close();
        await fake.close();
      }
    });
  }

  it('a node of a cluster that a redirect names: alarms show the context of construction', async () => {
    const [fake, other] = [await FakeValkey.start(), await FakeValkey.start()];
    fake.bend = (command, reply) => (command === 'smembers' ? `-MOVED 1 127.0.0.1:${other.port}\r\n` : reply);
    other.bend = (command, reply) => (command === 'info' ? bulk('maxmemory_policy:allkeys-lru\r\n') : reply);
    const client = new ioredis.Cluster([{ port: fake.port, host: '127.0.0.1' }], { lazyConnect: true });
    const store = request.run('construction', () => new ValkeySessionStore({ client }));
    const seen: unknown[] = [];
    store.onAlarm(({ alarm }) => seen.push([alarm, request.getStore()]));
    try {
      await request.run('a request', () => store.loadLabels('s'));
      await eventually(() => expect(seen).to.deep.equal([['session_store_unsafe_eviction', 'construction']]));
    } finally {
      await store.close();
      await fake.close();
      await other.close();
    }
  });

  it('the alarm of the circuit breaker shows the context of construction, too', async () => {
    const options = { endpoint: '127.0.0.1:1', connectTimeoutMs: 20, circuitBreaker: { consecutiveFailures: 1 } };
    const store = request.run('construction', () => new ValkeySessionStore(options));
    const seen: unknown[] = [];
    store.onAlarm(({ alarm }) => seen.push([alarm, request.getStore()]));
    await request.run('a request', () => rejectionOf(store.loadLabels('s')));
    expect(seen).to.deep.equal([['session_store_circuit_changed', 'construction']]);
    await store.close();
  });

  it('the password function is called in the context of construction', async () => {
    const fake = await FakeValkey.start();
    const seen: unknown[] = [];
    const password = (): string => {
      seen.push(request.getStore());
      return 'p';
    };
    const options = { endpoint: `127.0.0.1:${fake.port}`, password };
    const store = request.run('construction', () => new ValkeySessionStore(options));
    await request.run('a request', () => store.loadLabels('s'));
    expect(seen).to.deep.equal(['construction']);
    await store.close();
    await fake.close();
  });
});
