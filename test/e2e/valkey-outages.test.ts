import { once } from 'node:events';
import type { Server } from 'node:http';
import { expect } from 'chai';
import express from 'express';
import request from 'supertest';
import {
  type Alarm,
  type AplSessionErrorCode,
  type AplSessionMiddleware,
  aplSessionMiddleware,
} from '../../lib/index.js';
import { type ValkeySessionStoreOptions, valkeySessionStoreFactory } from '../../lib/valkey.js';
import { isOfCalls } from '../support/alarms.js';
import { CountingProxy, type Fault, type ProxyTarget } from '../support/counting-proxy.js';
import { eventually } from '../support/eventually.js';
import { describeWithSecureValkey } from '../support/secure-valkey.js';
import { describeWithDedicatedValkey, type TestValkey } from '../support/valkey.js';

const SESSION = 'session-of-alice';
const CONNECT_MS = 300;
const COMMAND_MS = 200;
/** What a busy machine may add to the deadlines. */
const MARGIN_MS = 900;

interface Scene {
  readonly valkey: TestValkey;
  /** Another server, which can become the primary of the first. */
  readonly other: TestValkey;
  readonly proxy: CountingProxy;
}

interface Outage {
  readonly name: string;
  readonly begin: (scene: Scene) => unknown;
  /** `undefined`: requests after the one that was hit are served without this. */
  readonly end?: (scene: Scene) => unknown;
  /** The code in the alarm; `undefined` where the operation works all the same. */
  readonly load: AplSessionErrorCode | undefined;
  readonly append: AplSessionErrorCode;
  /** What the alarm says. */
  readonly error?: RegExp;
}

const fault = (name: Fault, code: AplSessionErrorCode): Outage => ({
  name: `network: ${name}`,
  begin: ({ proxy }) => {
    proxy.fault = name;
  },
  end: ({ proxy }) => {
    proxy.fault = undefined;
  },
  load: code,
  append: code,
});

const OUTAGES: readonly Outage[] = [
  fault('black hole', 'store.timeout'),
  fault('no replies', 'store.timeout'),
  fault('half a reply, then silence', 'store.timeout'),
  fault('half a reply, then end', 'store.unavailable'),
  fault('half a reply, then reset', 'store.unavailable'),
  fault('reset', 'store.unavailable'),
  {
    name: 'network: slower than the deadline',
    begin: ({ proxy }) => {
      proxy.latencyMs = 2 * COMMAND_MS;
    },
    end: ({ proxy }) => {
      proxy.latencyMs = 1;
    },
    load: 'store.timeout',
    append: 'store.timeout',
  },
  {
    name: 'network: connections refused',
    begin: ({ proxy }) => proxy.refuse(),
    end: ({ proxy }) => proxy.listen(),
    load: 'store.unavailable',
    append: 'store.unavailable',
  },
  {
    name: 'network: the other end of the connection vanished',
    begin: ({ proxy }) => proxy.abandonConnections(),
    load: 'store.timeout',
    append: 'store.timeout',
  },
  {
    name: 'server: hangs (SIGSTOP)',
    begin: ({ valkey }) => valkey.stop(),
    end: ({ valkey }) => valkey.cont(),
    load: 'store.timeout',
    append: 'store.timeout',
  },
  {
    name: 'server: dies (SIGKILL)',
    begin: ({ valkey }) => valkey.kill(),
    end: ({ valkey }) => valkey.restart(),
    load: 'store.unavailable',
    append: 'store.unavailable',
  },
  {
    name: 'server: no memory left, under noeviction',
    begin: ({ valkey }) => valkey.admin.config('SET', 'maxmemory', '1'),
    end: ({ valkey }) => valkey.admin.config('SET', 'maxmemory', '0'),
    load: undefined,
    append: 'store.command_failed',
    error: /OOM/,
  },
  {
    name: 'server: loads its data',
    begin: beginLoading,
    end: ({ valkey }) => valkey.admin.config('SET', 'key-load-delay', '0'),
    load: 'store.command_failed',
    append: 'store.command_failed',
    error: /LOADING/,
  },
  {
    name: 'server: has become a replica of another one, and keeps its connections',
    begin: ({ valkey, other }) => valkey.admin.call('REPLICAOF', '127.0.0.1', String(other.port)),
    end: ({ valkey }) => valkey.admin.call('REPLICAOF', 'NO', 'ONE'),
    load: 'store.command_failed',
    append: 'store.command_failed',
    error: /replica/,
  },
  {
    name: 'server: takes no more clients',
    begin: async ({ valkey, proxy }) => {
      await valkey.admin.config('SET', 'maxclients', '1');
      proxy.resetConnections();
    },
    end: ({ valkey }) => valkey.admin.config('SET', 'maxclients', '10000'),
    load: 'store.unavailable',
    append: 'store.unavailable',
  },
];

/** The keys that slow the loading down are gone when it has ended, from the disk as well. */
async function beginLoading({ valkey: { admin } }: Scene): Promise<void> {
  await admin.config('SET', 'key-load-delay', '2000', 'loading-process-events-interval-bytes', '1024');
  await admin.call('DEBUG', 'POPULATE', '2000', 'filler', '32');
  const other = admin.duplicate();
  void other
    .call('DEBUG', 'RELOAD')
    .then(() => other.del(...Array.from({ length: 2_000 }, (_, index) => `filler:${index}`)))
    .then(() => other.call('DEBUG', 'RELOAD'))
    .finally(() => other.disconnect());
  await eventually(async () => (await admin.info('persistence')).includes('loading:1'));
}

class App {
  readonly alarms: Alarm[] = [];
  /** What the handler does before it adds its label. */
  inHandler: () => unknown = () => {};
  readonly #middleware: AplSessionMiddleware;
  readonly #http: Server;

  constructor(options: ValkeySessionStoreOptions) {
    this.#middleware = aplSessionMiddleware({
      session: (req) => req.get('x-session'),
      store: { kind: 'valkey', connectTimeoutMs: CONNECT_MS, commandTimeoutMs: COMMAND_MS, ...options },
      storeFactories: [valkeySessionStoreFactory],
      logger: { warn() {}, error() {} },
      onAlarm: (alarm) => {
        if (isOfCalls(alarm)) this.alarms.push(alarm);
      },
    });
    const app = express();
    app.use(this.#middleware);
    app.get('/labels', (req, res) => {
      res.json([...req.security.labels].sort());
    });
    app.get('/taint/:label', async (req, res) => {
      await this.inHandler();
      req.security.labels.add(req.params.label);
      res.set('X-Stolen', 'header').send('stolen');
    });
    this.#http = app.listen(0, '127.0.0.1');
  }

  get(path: string, session: string | undefined = SESSION): request.Test {
    const test = request(this.#http).get(path);
    return session === '' ? test : test.set('X-Session', session);
  }

  async close(): Promise<void> {
    this.#http.close();
    await once(this.#http, 'close');
    await this.#middleware.close();
  }
}

async function timed<T>(action: () => PromiseLike<T>): Promise<{ readonly value: T; readonly tookMs: number }> {
  const start = performance.now();
  const value = await action();
  return { value, tookMs: performance.now() - start };
}

interface Mode {
  readonly mode: string;
  readonly options: ValkeySessionStoreOptions;
}

const MODES: readonly Mode[] = [
  { mode: 'by default', options: {} },
  {
    mode: 'with a TTL, without retry, with a circuit breaker',
    options: { ttlSeconds: 60, retry: false, circuitBreaker: { halfOpenAfterMs: 100 } },
  },
];

describeWithDedicatedValkey('outages of Valkey, seen through an app', (server) => {
  describeOutages(server, MODES, {
    target: server,
    login: ({ url }) => ({ endpoint: url }),
  });
});

/** What docs/operations.md tells operators to grant, with a TTL. */
const RIGHTS = ['+smembers', '+sadd', '+expire', '+multi', '+exec', '+client|capa', '+info', '+config|get'];

describeWithSecureValkey('outages of Valkey, over TLS with a client certificate, with the fewest rights', (secure) => {
  const tlsPort = (): number => Number(secure().endpoint.split(':')[1]);
  // ACL users are gone with a server that dies
  beforeEach(() => secure().grant('~taint:v1:*', ...RIGHTS));
  describeOutages(() => secure().plain, [{ mode: 'with a TTL', options: { ttlSeconds: 60 } }], {
    without: ['network: no replies', 'network: slower than the deadline'],
    target: () => ({ url: secure().plain.url, host: secure().plain.host, port: tlsPort() }),
    login: ({ url }) => ({ ...secure().options, endpoint: `localhost:${new URL(url).port}` }),
    revive: () => secure().grant('~taint:v1:*', ...RIGHTS),
  });
});

interface Way {
  /** Outages that look the same to a client as another one, or as in plain text; for the sake of time. */
  readonly without?: readonly string[];
  /** Where the proxy leads. */
  readonly target: () => ProxyTarget;
  /** What the store needs to connect through the proxy. */
  readonly login: (proxy: CountingProxy) => ValkeySessionStoreOptions;
  /** After an outage, before the store is to recover. */
  readonly revive?: () => Promise<void>;
}

function describeOutages(
  server: () => TestValkey,
  modes: readonly Mode[],
  { target, login, revive, without = [] }: Way,
): void {
  describeWithDedicatedValkey('beside another server', (otherServer) => {
    for (const { mode, options } of modes) {
      describe(mode, () => {
        let scene: Scene;
        let app: App;
        let ended: boolean;

        beforeEach(async () => {
          await server().flush();
          const proxy = await CountingProxy.start(target());
          proxy.latencyMs = 1;
          scene = { valkey: server(), other: otherServer(), proxy };
          app = new App({ ...login(proxy), ...options });
          ended = false;
          await eventually(() => app.get('/taint/before').expect(200));
          app.alarms.length = 0;
        });
        const end = async ({ end }: Outage): Promise<void> => {
          if (ended) return;
          await end?.(scene);
          await revive?.();
          ended = true;
        };

        const expectRecovery = async (): Promise<void> => {
          await eventually(() => app.get('/taint/after').expect(200), { withinMs: 8_000 });
          const { body } = await app.get('/labels').expect(200);
          expect(body).to.include('after');
        };
        const expectAlarm = (op: 'load' | 'append', route: string, code: string, { error = /./ }: Outage): void => {
          expect(app.alarms).to.have.length(1);
          expect(app.alarms[0]).to.include({ alarm: 'session_store_failure', op, route, code });
          expect(app.alarms[0])
            .to.have.property('error')
            .that.matches(error)
            .and.does.not.match(/session-of-alice|after/);
        };

        for (const outage of OUTAGES.filter(({ name }) => !without.includes(name))) {
          describe(outage.name, () => {
            afterEach(async () => {
              await end(outage).finally(() => app.close());
              await scene.proxy.close();
            });

            it(outage.load ? 'G2: a load is refused in time, and works again afterwards' : 'loads work', async () => {
              await outage.begin(scene);
              const { value, tookMs } = await timed(() => app.get('/labels'));
              if (outage.load) {
                expect(value.status).to.equal(403);
                expect(value.body).to.include({ code: 'session.load_failed' });
                expect(tookMs).to.be.below(CONNECT_MS + COMMAND_MS + MARGIN_MS);
                expectAlarm('load', 'GET *', outage.load, outage);
                // G6: requests without a session are not affected
                await app.get('/labels', '').expect(200);
                if (outage.end) {
                  const next = await timed(() => app.get('/labels').expect(403));
                  expect(next.tookMs).to.be.below(CONNECT_MS + COMMAND_MS + MARGIN_MS);
                }
              } else {
                expect(value.body).to.deep.equal(['before']);
              }
              await end(outage);
              await expectRecovery();
            });

            it('G2: an append during the outage is denied in time, and works later', async () => {
              app.inHandler = async () => {
                app.inHandler = () => {};
                await outage.begin(scene);
                startedMs = performance.now();
              };
              let startedMs = 0;
              const { status, body, headers } = await app.get('/taint/lost');
              expect(performance.now() - startedMs).to.be.below(CONNECT_MS + COMMAND_MS + MARGIN_MS);
              expect(status).to.equal(403);
              expect(body).to.include({ code: 'session.persist_failed' });
              expect(headers).to.not.have.property('x-stolen');
              expectAlarm('append', 'GET /taint/:label', outage.append, outage);
              expect(app.alarms[0]).to.include({ decisionWasAllow: true, bytesSent: false });
              await end(outage);
              await expectRecovery();
            });
          });
        }
      });
    }
  });
}
