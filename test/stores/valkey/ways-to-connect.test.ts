import { expect } from 'chai';
import { Redis } from 'ioredis';
import type { AplSessionError, AplSessionErrorCode } from '../../../lib/contract/errors.js';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../../lib/valkey.js';
import { CountingProxy } from '../../support/counting-proxy.js';
import { eventually } from '../../support/eventually.js';
import { array, bulk, FakeValkey } from '../../support/fake-valkey.js';
import { runModule } from '../../support/node-child.js';
import { describeWithDedicatedValkey, type TestValkey } from '../../support/valkey.js';

const CONNECT_MS = 300;
const COMMAND_MS = 200;
/** What a busy machine may add to the deadlines. */
const MARGIN_MS = 900;

type Way = readonly [name: string, options: (port: number) => Promise<ValkeySessionStoreOptions>];

interface Scene {
  readonly valkey: TestValkey;
  readonly proxy: CountingProxy;
}

interface Outage {
  readonly name: string;
  begin(scene: Scene): unknown;
  end(scene: Scene): unknown;
  /** The codes of a failure; empty if the call works. */
  readonly load: readonly AplSessionErrorCode[];
  readonly append: readonly AplSessionErrorCode[];
}

/** After a missed deadline the connection is closed, and a heartbeat of a cluster may miss its deadline first. */
const SILENCE = ['store.timeout', 'store.unavailable'] as const;
const LOSS = ['store.unavailable'] as const;
const REFUSAL = ['store.command_failed'] as const;

const OUTAGES: readonly Outage[] = [
  {
    name: 'a server that is killed',
    begin: ({ valkey }) => valkey.kill(),
    end: ({ valkey }) => valkey.restart(),
    load: LOSS,
    append: LOSS,
  },
  {
    name: 'a server that hangs',
    begin: ({ valkey }) => valkey.stop(),
    end: ({ valkey }) => valkey.cont(),
    load: SILENCE,
    append: SILENCE,
  },
  {
    name: 'a server without memory',
    begin: ({ valkey }) => valkey.admin.config('SET', 'maxmemory', '1'),
    end: ({ valkey }) => valkey.admin.config('SET', 'maxmemory', '0'),
    load: [],
    append: REFUSAL,
  },
  {
    name: 'a server that has become a replica',
    begin: ({ valkey }) => valkey.admin.call('REPLICAOF', '127.0.0.1', '1'),
    end: ({ valkey }) => valkey.admin.call('REPLICAOF', 'NO', 'ONE'),
    load: REFUSAL,
    append: REFUSAL,
  },
  {
    name: 'a network that drops packets',
    begin: ({ proxy }) => {
      proxy.fault = 'black hole';
    },
    end: ({ proxy }) => {
      proxy.fault = undefined;
    },
    load: SILENCE,
    append: SILENCE,
  },
  {
    name: 'a network that resets connections',
    begin: ({ proxy }) => {
      proxy.fault = 'half a reply, then reset';
    },
    end: ({ proxy }) => {
      proxy.fault = undefined;
    },
    load: LOSS,
    append: LOSS,
  },
];

describeWithDedicatedValkey('G2: outages, on each way to connect', (server) => {
  const fakes: FakeValkey[] = [];
  const clients: Redis[] = [];
  const fakeNaming = async (command: string, reply: string): Promise<string> => {
    const fake = await FakeValkey.start();
    fakes.push(fake);
    fake.bend = (asked, usual) => (asked === command ? reply : usual);
    return `127.0.0.1:${fake.port}`;
  };

  const WAYS: readonly Way[] = [
    ['endpoint', async (port) => ({ endpoint: `127.0.0.1:${port}` })],
    [
      'sentinels',
      async (port) => {
        const reply = array([bulk('127.0.0.1'), bulk(String(port))]);
        return { sentinels: [await fakeNaming('sentinel', reply)], name: 'labels' };
      },
    ],
    [
      'nodes',
      async (port) => {
        const range = array([':0\r\n', ':16383\r\n', array([bulk('127.0.0.1'), `:${port}\r\n`])]);
        return { nodes: [await fakeNaming('cluster', array([range]))] };
      },
    ],
    [
      'client',
      async (port) => {
        const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true });
        clients.push(client);
        return { client };
      },
    ],
  ];

  for (const [way, optionsFor] of WAYS) {
    describe(way, () => {
      let scene: Scene;
      let store: ValkeySessionStore;
      beforeEach(async () => {
        await server().flush();
        scene = { valkey: server(), proxy: await CountingProxy.start(server()) };
        const options = await optionsFor(Number(new URL(scene.proxy.url).port));
        store = new ValkeySessionStore({ connectTimeoutMs: CONNECT_MS, commandTimeoutMs: COMMAND_MS, ...options });
        await eventually(() => store.appendLabels('s', ['before']));
      });
      afterEach(async () => {
        await store.close();
        await scene.proxy.close();
        for (const client of clients.splice(0)) client.disconnect();
        await Promise.all(fakes.splice(0).map((fake) => fake.close()));
      });

      for (const { name, begin, end, load, append } of OUTAGES) {
        it(`${name}: calls are denied in time, and work later`, async () => {
          await begin(scene);
          try {
            await expectOutcome(() => store.loadLabels('s'), load);
            await expectOutcome(() => store.appendLabels('s', ['during']), [...append, ...laterCodes(append)]);
          } finally {
            await end(scene);
          }
          await eventually(() => store.appendLabels('s', ['after']), { withinMs: 8_000 });
          expect(await store.loadLabels('s')).to.include('after');
        });
      }

      it('close() ends the process', async function () {
        this.timeout(20_000);
        const script = `
          import { Redis } from 'ioredis';
          import { ValkeySessionStore } from './lib/valkey.ts';
          const options = JSON.parse(process.env.OPTIONS);
          const client = options.client && new Redis(options.client);
          const store = new ValkeySessionStore({ ...options, ...(client && { client }), connectTimeoutMs: 2000 });
          await store.appendLabels('s', ['a']);
          await store.close();`;
        const port = Number(new URL(scene.proxy.url).port);
        const options = way === 'client' ? { client: { port, lazyConnect: true } } : await optionsFor(port);
        const { code, signal, stderr } = await runModule(script, { OPTIONS: JSON.stringify(options) });
        expect({ code, signal, stderr }).to.deep.equal({ code: 0, signal: null, stderr: '' });
      });
    });
  }
});

/** Once a connection is closed, later calls find none. */
function laterCodes(codes: readonly AplSessionErrorCode[]): readonly AplSessionErrorCode[] {
  return codes.length > 0 ? ['store.unavailable'] : [];
}

async function expectOutcome(call: () => Promise<unknown>, codes: readonly AplSessionErrorCode[]): Promise<void> {
  const startedMs = performance.now();
  const code = await call().then(
    () => undefined,
    (error: AplSessionError) => error.code,
  );
  if (codes.length === 0) expect(code).to.equal(undefined);
  else expect(code).to.be.oneOf([...codes]);
  expect(performance.now() - startedMs).to.be.below(CONNECT_MS + COMMAND_MS + MARGIN_MS);
}
