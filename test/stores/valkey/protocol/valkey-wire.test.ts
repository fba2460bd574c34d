import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import ioredis6 from 'ioredis';
import ioredis5 from 'ioredis5';
import iovalkey from 'iovalkey';
import { sha256Hex } from '../../../../lib/session/digest.js';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../../../lib/valkey.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { array, type Bend, bulk, FakeValkey } from '../../../support/fake-valkey.js';
import { openedStores } from '../../../support/opened-stores.js';
import { describeWithDedicatedValkey } from '../../../support/valkey.js';

const SESSIONS = 50;
const keyOf = (session: string): string => `taint:v1:${sha256Hex(session)}`;

type Connect = (port: number) => { readonly options: ValkeySessionStoreOptions; end(): void };
const withClient =
  (Client: new (options: object) => { disconnect(): void }): Connect =>
  (port) => {
    const client = new Client({ port, host: '127.0.0.1', lazyConnect: true });
    return { options: { client }, end: () => client.disconnect() };
  };
const withCluster =
  (Cluster: typeof ioredis6.Cluster): Connect =>
  (port) => {
    const client = new Cluster([{ port, host: '127.0.0.1' }], { lazyConnect: true });
    return { options: { client }, end: () => client.disconnect() };
  };
const CONNECTIONS: ReadonlyArray<readonly [name: string, connect: Connect]> = [
  ['an endpoint', (port) => ({ options: { endpoint: `127.0.0.1:${port}` }, end() {} })],
  ['a client of ioredis 6', withClient(ioredis6.default)],
  ['a client of ioredis 5', withClient(ioredis5.default)],
  ['a client of iovalkey', withClient(iovalkey.default)],
  ['a cluster client of ioredis 6', withCluster(ioredis6.Cluster)],
  ['a cluster client of ioredis 5', withCluster(ioredis5.Cluster as unknown as typeof ioredis6.Cluster)],
  ['a cluster client of iovalkey', withCluster(iovalkey.Cluster as unknown as typeof ioredis6.Cluster)],
];

/** These bytes replace one reply. A late reply comes behind the next one. */
const FAULTS: ReadonlyArray<{ readonly what: string; readonly sent: (reply: string) => string; readonly late?: true }> =
  [
    { what: 'a reply is missing', sent: () => '' },
    { what: 'a reply comes twice', sent: (reply) => reply + reply },
    { what: 'a reply comes behind the next one', sent: () => '', late: true },
    { what: 'an empty set comes before a reply', sent: (reply) => array([]) + reply },
    { what: 'the set of another comes before a reply', sent: (reply) => array([bulk('L-of-another')]) + reply },
    { what: '+OK comes before a reply', sent: (reply) => `+OK\r\n${reply}` },
    { what: ':1 comes before a reply', sent: (reply) => `:1\r\n${reply}` },
    { what: 'an error comes before a reply', sent: (reply) => `-ERR L-of-another\r\n${reply}` },
    { what: 'a null comes before a reply', sent: (reply) => `$-1\r\n${reply}` },
    {
      what: 'a push of RESP3 comes before a reply',
      sent: (reply) => `>3\r\n${bulk('subscribe')}${bulk('c')}:1\r\n${reply}`,
    },
    { what: 'a map of RESP3 comes in place of a reply', sent: () => `%1\r\n${bulk('L')}${bulk('M')}` },
    { what: 'a reply is an error', sent: () => '-ERR said the server\r\n' },
  ];

/** So many replies are as they should be before the next that is not. */
const PATIENCE = 60;

/** Bends one reply to each of these commands, one after the other, each after some that are as they should be. */
function bendOnce(commands: readonly string[], fault: (typeof FAULTS)[number], onFault: () => void): Bend {
  const waiting = [...commands];
  let healthy = PATIENCE;
  let held = '';
  return (command, reply) => {
    if (held !== '') {
      const late = held;
      held = '';
      return reply + late;
    }
    if (command === 'hello') healthy = PATIENCE;
    healthy -= 1;
    if (healthy > 0 || command !== waiting[0]) return reply;
    waiting.shift();
    healthy = PATIENCE;
    if (fault.late) held = reply;
    onFault();
    return fault.sent(reply);
  };
}

describe('a wire: replies that are out of step, under load', () => {
  let fake: FakeValkey;
  beforeEach(async () => {
    fake = await FakeValkey.start();
    for (let index = 0; index < SESSIONS; index += 1) fake.sets.set(keyOf(`s${index}`), new Set([`L${index}`]));
  });
  afterEach(() => fake.close());

  for (const [name, connect] of CONNECTIONS) {
    for (const { ttl, options, commands } of [
      { ttl: 'without a TTL', options: {}, commands: ['smembers', 'sadd', 'echo'] },
      {
        ttl: 'with a TTL',
        options: { ttlSeconds: 60 },
        commands: ['smembers', 'expire', 'multi', 'sadd', 'exec', 'echo'],
      },
    ]) {
      // all connections are of one kind, so that the others need to show this only
      for (const fault of name === 'an endpoint' ? FAULTS : FAULTS.slice(0, 2)) {
        it(`G4: ${name}, ${ttl}: ${fault.what}: nothing wrong or lost`, async () => {
          const { options: where, end } = connect(fake.port);
          const store = new ValkeySessionStore({
            ...where,
            ...options,
            connectTimeoutMs: 1_000,
            commandTimeoutMs: 100,
          });
          const seen = { loads: 0, appends: 0, faults: 0, lastFaultMs: 0, lastFailureMs: 0 };
          const wrong: string[] = [];
          try {
            await store.loadLabels('s0');
            fake.bend = bendOnce(commands, fault, () => {
              seen.faults += 1;
              seen.lastFaultMs = performance.now();
            });
            let calls = 0;
            const work = async (): Promise<void> => {
              while (seen.faults < commands.length || performance.now() - seen.lastFailureMs < 5) {
                calls += 1;
                if (calls > 20_000) break;
                const session = calls % SESSIONS;
                try {
                  const labels = await store.loadLabels(`s${session}`);
                  if (labels.length !== 1 || labels[0] !== `L${session}`) wrong.push(`${session}: ${labels}`);
                  seen.loads += 1;
                  const [id, label] = [`a${calls}`, `A${calls}`];
                  await store.appendLabels(id, [label]);
                  if (!fake.sets.get(keyOf(id))?.has(label)) wrong.push(`${id} was acknowledged`);
                  seen.appends += 1;
                } catch (error) {
                  expect((error as Error).message).to.not.match(/L-of-another|L\d/);
                  seen.lastFailureMs = performance.now();
                }
              }
            };
            await Promise.all(Array.from({ length: 8 }, work));
            expect(seen.faults).to.equal(commands.length);
            expect(await store.loadLabels('s1')).to.deep.equal(['L1']);
            expect(performance.now() - seen.lastFaultMs).to.be.below(1_000);
            expect(wrong).to.deep.equal([]);
            expect(seen.loads).to.be.above(20);
            expect(seen.appends).to.be.above(20);
          } finally {
            await store.close();
            end();
          }
        });
      }
    }
  }

  it('G5: an append that the server never got is not acknowledged', async () => {
    const store = new ValkeySessionStore({ endpoint: `127.0.0.1:${fake.port}`, retry: false, commandTimeoutMs: 200 });
    await store.loadLabels('s0');
    let ignored = false;
    fake.ignore = (command) => {
      if (command !== 'sadd' || ignored) return false;
      ignored = true;
      return true;
    };
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((id) => store.appendLabels(id, ['A'])));
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'rejected']);
    await store.close();
  });

  for (const [what, text] of [
    ['a null', '$-1\r\n'],
    ['an array', array([bulk('L')])],
    ['an error', '-ERR\r\n'],
    ['bytes that are no RESP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ] as const) {
    it(`an unrequested ${what} closes the connection, and costs no call`, async () => {
      const store = new ValkeySessionStore({ endpoint: `127.0.0.1:${fake.port}`, connectTimeoutMs: 1_000 });
      await store.loadLabels('s0');
      fake.say(text);
      await eventually(async () => {
        expect(await store.loadLabels('s1')).to.deep.equal(['L1']);
        expect(fake.connections).to.equal(2);
      });
      await store.close();
    });
  }

  it('a server that does not know HELLO is logged in to with AUTH', async () => {
    const commands: string[] = [];
    fake.bend = (command, reply) => {
      commands.push(command);
      return command === 'hello' ? "-ERR unknown command 'hello'\r\n" : reply;
    };
    const store = new ValkeySessionStore({
      endpoint: `redis://user:hunter2@127.0.0.1:${fake.port}`,
      connectTimeoutMs: 1_000,
    });
    expect(await store.loadLabels('s0')).to.deep.equal(['L0']);
    expect(commands).to.include('auth');
    await store.close();
  });

  for (const dropped of ['hello', 'client']) {
    it(`a missing reply to ${dropped.toUpperCase()} in the greeting is noticed at once`, async () => {
      let drops = 0;
      fake.bend = (command, reply) => {
        if (command !== dropped || drops > 0) return reply;
        drops += 1;
        return '';
      };
      const store = new ValkeySessionStore({ endpoint: `127.0.0.1:${fake.port}` });
      const started = performance.now();
      try {
        expect(await eventually(() => store.loadLabels('s0'))).to.deep.equal(['L0']);
        // the deadline of an attempt is two seconds at least
        expect(performance.now() - started).to.be.below(1_000);
        expect([drops, fake.connections]).to.deep.equal([1, 2]);
      } finally {
        await store.close();
      }
    });
  }

  it('a server that does not answer the probe is not used', async () => {
    fake.bend = (command, reply) => (command === 'echo' ? '-NOPERM\r\n' : reply);
    const store = new ValkeySessionStore({ endpoint: `127.0.0.1:${fake.port}` });
    expect(await rejectionOf(store.loadLabels('s0'))).to.have.property('code', 'store.unavailable');
    await store.close();
  });

  it('a set with a number in it fails closed', async () => {
    fake.bend = (command, reply) => (command === 'smembers' ? array([bulk('L'), ':1\r\n']) : reply);
    const store = new ValkeySessionStore({ endpoint: `127.0.0.1:${fake.port}` });
    expect(await rejectionOf(store.loadLabels('s0'))).to.have.property('code', 'store.unavailable');
    await store.close();
  });
});

describeWithDedicatedValkey('a wire to a real Valkey', (server) => {
  const storeWith = openedStores(() => ({ endpoint: server().url, retry: false }));
  const stats = async (): Promise<Record<string, number>> => {
    const text = await server().admin.info('commandstats');
    return Object.fromEntries(
      [...text.matchAll(/cmdstat_(\S+?):calls=(\d+)/g)].map(([, name, calls]) => [name, Number(calls)]),
    );
  };
  beforeEach(() => server().flush());
  afterEach(async () => {
    await server().admin.call('ACL', 'DELUSER', 'few');
  });

  for (const blockedMs of [700, 3_000]) {
    it(`replies that waited while the process was blocked for ${blockedMs} ms count`, async () => {
      const store = storeWith();
      await store.appendLabels('s', ['a']);
      const before = await server().admin.info('stats');
      const calls = Array.from({ length: 50 }, () => store.loadLabels('s'));
      // once before they are sent, and once after
      for (const pause of [0, 1]) {
        if (pause) await new Promise((resolve) => setImmediate(resolve));
        for (const until = performance.now() + blockedMs / 2; performance.now() < until; );
      }
      for (const labels of await Promise.all(calls)) expect(labels).to.deep.equal(['a']);
      const connections = (text: string): string | undefined => /total_connections_received:(\d+)/.exec(text)?.[1];
      expect(connections(await server().admin.info('stats'))).to.equal(connections(before));
    });
  }

  it('calls that wait for a connection during a block get it afterwards', async () => {
    const store = storeWith({ connectTimeoutMs: 250 });
    const calls = Array.from({ length: 50 }, () => store.loadLabels('s'));
    for (let pause = 0; pause < 2; pause += 1) {
      for (const until = performance.now() + 600; performance.now() < until; );
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const labels of await Promise.all(calls)) expect(labels).to.deep.equal([]);
  });

  it('TCP keep-alive starts after some seconds of silence', async function () {
    if (process.platform !== 'linux') return this.skip();
    const store = storeWith();
    await store.loadLabels('s');
    await eventually(() => {
      // columns of proc(5): local and remote address, state 1 (established), queues, then the timer: 2 is keep-alive
      const port = server().port.toString(16).toUpperCase().padStart(4, '0');
      const ours = readFileSync('/proc/net/tcp', 'utf8')
        .split('\n')
        .filter((line) => line.includes(`:${port} 01 `));
      const timers = ours.map((line) => /:\w+ 01 \w+:\w+ (\w+):(\w+)/.exec(line));
      const seconds = timers.flatMap((timer) =>
        timer?.[1] === '02' ? [Number.parseInt(timer[2] ?? '', 16) / 100] : [],
      );
      expect(seconds.some((left) => left <= 5.5)).to.equal(true);
    });
  });

  it('each call has one ECHO as a probe', async () => {
    const store = storeWith();
    await store.loadLabels('s');
    await server().admin.config('RESETSTAT');
    await Promise.all([store.loadLabels('s'), store.appendLabels('s', ['a'])]);
    expect(await stats()).to.deep.equal({ smembers: 1, sadd: 1, echo: 2, 'config|resetstat': 1 });
  });

  it('a user without ECHO gets an unknown command as a probe', async () => {
    await server().admin.call('ACL', 'SETUSER', 'few', 'on', '>pass', '~taint:v1:*', '+smembers', '+sadd');
    const store = storeWith({ endpoint: server().urlFor('few', 'pass') });
    await store.appendLabels('s', ['a']);
    expect(await store.loadLabels('s')).to.deep.equal(['a']);
    await server().admin.config('RESETSTAT');
    await Promise.all([store.loadLabels('s'), store.loadLabels('s')]);
    // one for each load, and one for the question of the role, which such a user's connection has to ask
    expect(await server().admin.info('errorstats')).to.include('errorstat_ERR:count=3');
    expect(await stats()).to.deep.equal({ smembers: 2, hello: 1, 'config|resetstat': 1, info: 1 });
  });

  it('a malformed set rejects only its own load', async () => {
    const store = storeWith();
    await server().admin.sadd(keyOf('poisoned'), Buffer.from([0xff]));
    await server().admin.sadd(keyOf('s'), 'a');
    await store.loadLabels('s');
    const before = await server().admin.info('stats');
    for (let round = 0; round < 20; round += 1) {
      const calls = [rejectionOf(store.loadLabels('poisoned')), store.loadLabels('s')];
      const [error, labels] = await Promise.all(calls);
      expect(error).to.have.property('code', 'store.malformed_reply');
      expect(labels).to.deep.equal(['a']);
    }
    const connections = (text: string): string | undefined => /total_connections_received:(\d+)/.exec(text)?.[1];
    expect(connections(await server().admin.info('stats'))).to.equal(connections(before));
  });
});
