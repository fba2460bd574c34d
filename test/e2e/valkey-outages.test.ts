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
import type { Fault } from '../support/counting-proxy.js';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { Lateness } from '../support/lateness.js';
import type { ValkeyNode } from '../support/valkey-group.js';
import { describeWithAllWays, optionsOf, WAYS, type Way, type WaysToConnect } from '../support/ways-to-connect.js';

const CONNECT_MS = 400;
const COMMAND_MS = 400;
/** What else a request may take, together with all others. */
const MARGIN_MS = 900;
/** A late timer of a deadline is extended by its delay, at most three times. */
const EXTENSIONS = 3;

interface Outage {
  readonly name: string;
  /** Called for the server, and for the primary of the cluster that has the sessions. */
  readonly begin?: (server: ValkeyNode, all: WaysToConnect) => unknown;
  /** Called once, for all connections. */
  readonly beginOnNetwork?: (all: WaysToConnect) => unknown;
  /** Neither: requests after the one that was hit are served without this. */
  readonly end?: (server: ValkeyNode) => unknown;
  readonly endOnNetwork?: (all: WaysToConnect) => unknown;
  /** A cluster does not have this outage. */
  readonly notInCluster?: true;
  /** The code in the alarm; `undefined` where the operation works all the same. */
  readonly load: AplSessionErrorCode | undefined;
  readonly append: AplSessionErrorCode;
  /** What the alarm says. */
  readonly error?: RegExp;
}

const fault = (name: Fault, code: AplSessionErrorCode): Outage => ({
  name: `network: ${name}`,
  beginOnNetwork: ({ proxies }) => {
    for (const proxy of proxies) proxy.fault = name;
  },
  endOnNetwork: ({ proxies }) => {
    for (const proxy of proxies) proxy.fault = undefined;
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
    beginOnNetwork: ({ proxies }) => {
      for (const proxy of proxies) proxy.latencyMs = 2 * COMMAND_MS;
    },
    endOnNetwork: ({ proxies }) => {
      for (const proxy of proxies) proxy.latencyMs = 1;
    },
    load: 'store.timeout',
    append: 'store.timeout',
  },
  {
    name: 'network: connections refused',
    beginOnNetwork: ({ proxies }) => Promise.all(proxies.map((proxy) => proxy.refuse())),
    endOnNetwork: ({ proxies }) => Promise.all(proxies.map((proxy) => proxy.listen())),
    load: 'store.unavailable',
    append: 'store.unavailable',
  },
  {
    name: 'network: the other end of the connection vanished',
    beginOnNetwork: ({ proxies }) => {
      for (const proxy of proxies) proxy.abandonConnections();
    },
    load: 'store.timeout',
    append: 'store.timeout',
  },
  {
    name: 'server: hangs (SIGSTOP)',
    begin: (server) => server.stop(),
    end: (server) => server.cont(),
    load: 'store.timeout',
    append: 'store.timeout',
  },
  {
    name: 'server: dies (SIGKILL)',
    begin: (server) => server.kill(),
    end: (server) => server.restart(),
    load: 'store.unavailable',
    append: 'store.unavailable',
  },
  {
    name: 'server: no memory left, under noeviction',
    begin: (server) => server.admin.config('SET', 'maxmemory', '1'),
    end: (server) => server.admin.config('SET', 'maxmemory', '0'),
    load: undefined,
    append: 'store.command_failed',
    error: /OOM/,
  },
  {
    name: 'server: loads its data',
    begin: beginLoading,
    end: (server) => server.admin.config('SET', 'key-load-delay', '0'),
    load: 'store.command_failed',
    append: 'store.command_failed',
    error: /LOADING/,
  },
  {
    name: 'server: has become a replica of another one, and keeps its connections',
    begin: (server, { other }) => server.admin.call('REPLICAOF', '127.0.0.1', String(other.port)),
    end: (server) => server.admin.call('REPLICAOF', 'NO', 'ONE'),
    load: 'store.command_failed',
    append: 'store.command_failed',
    error: /replica/,
    notInCluster: true,
  },
  {
    name: 'server: takes no more clients',
    begin: (server) => server.admin.config('SET', 'maxclients', '1'),
    beginOnNetwork: ({ proxies }) => {
      for (const proxy of proxies) proxy.resetConnections();
    },
    end: (server) => server.admin.config('SET', 'maxclients', '10000'),
    load: 'store.unavailable',
    append: 'store.unavailable',
  },
];

/** The keys that slow the loading down are gone when it has ended, from the disk as well. */
async function beginLoading({ admin }: ValkeyNode, { fillerTag }: WaysToConnect): Promise<void> {
  const filler = `filler${fillerTag}`;
  await admin.config('SET', 'key-load-delay', '2000', 'loading-process-events-interval-bytes', '1024');
  await admin.call('DEBUG', 'POPULATE', '2000', filler, '32');
  const other = admin.duplicate();
  void other
    .call('DEBUG', 'RELOAD')
    .then(() => other.del(...Array.from({ length: 2_000 }, (_, index) => `${filler}:${index}`)))
    .then(() => other.call('DEBUG', 'RELOAD'))
    .finally(() => other.disconnect());
  await eventually(async () => (await admin.info('persistence')).includes('loading:1'));
}

/** An app with a session of its own, on a store that connects in one of the ways. */
class App {
  readonly alarms: Alarm[] = [];
  readonly #session: string;
  /** What the handler does before it adds its label. */
  inHandler: () => unknown = () => {};
  readonly #middleware: AplSessionMiddleware;
  readonly #http: Server;

  constructor(options: ValkeySessionStoreOptions, session: string) {
    this.#session = session;
    this.#middleware = aplSessionMiddleware({
      session: (req) => req.get('x-session'),
      store: { kind: 'valkey', connectTimeoutMs: CONNECT_MS, commandTimeoutMs: COMMAND_MS, ...options },
      storeFactories: [valkeySessionStoreFactory],
      // a busy machine may delay the deadline of the store, whose code counts here, beyond the default
      storeTimeoutMs: 3_000,
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

  get(path: string): request.Test {
    return this.getWithoutSession(path).set('X-Session', this.#session);
  }

  getWithoutSession(path: string): request.Test {
    return request(this.#http).get(path);
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

const WITH_TTL = { ttlSeconds: 60 };
const WITHOUT_RETRY = { ...WITH_TTL, retry: false, circuitBreaker: { halfOpenAfterMs: 100 } };

interface Seat {
  readonly name: string;
  readonly way: Way;
  readonly options: ValkeySessionStoreOptions;
}

/** The user of the documents has the rights for a TTL. Of the clients of the app, one library is enough here. */
const SEATS: readonly Seat[] = WAYS.filter(({ library = 'ioredis 6' }) => library === 'ioredis 6').flatMap((way) => {
  const seat = { name: way.name, way, options: way.isSecure ? WITH_TTL : {} };
  const isPlainest = way.servers === 'one' && !way.library && !way.isSecure;
  const name = `${way.name}, without retry, with a circuit breaker`;
  return isPlainest ? [seat, { name, way, options: WITHOUT_RETRY }] : [seat];
});

interface Guest {
  readonly name: string;
  readonly app: App;
  readonly isCluster: boolean;
}

// all ways share each outage: a suite of its own for each of them would last ten times as long
describeWithAllWays('outages of Valkey, seen through apps that connect in each way', (all) => {
  let lateness: Lateness;
  before(() => {
    lateness = new Lateness();
  });
  after(() => lateness?.stop());

  for (const outage of OUTAGES) {
    describe(outage.name, () => {
      const seats = SEATS.filter(({ way }) => !(outage.notInCluster && way.servers === 'cluster'));
      let guests: Guest[];
      let hasEnded: boolean;
      const limitMs = (): number => CONNECT_MS + COMMAND_MS + MARGIN_MS + (1 + EXTENSIONS) * lateness.mostMs;

      beforeEach(async () => {
        for (const proxy of all().proxies) proxy.latencyMs = 1;
        const sessions = all().sessions(seats.length);
        guests = seats.map(({ name, way, options }, index) => ({
          name,
          app: new App({ ...optionsOf(way.setup(all())), ...options }, sessions[index] ?? ''),
          isCluster: way.servers === 'cluster',
        }));
        hasEnded = false;
        await forAll(({ app }) => eventually(() => app.get('/taint/before').expect(200), { withinMs: 8_000 }));
        for (const { app } of guests) app.alarms.length = 0;
        lateness.forget();
      });
      afterEach(async () => {
        await end().finally(() => forAll(({ app }) => app.close()));
        await all().flush();
      });

      const affected = (): readonly ValkeyNode[] => {
        const [server, member] = all().primaries;
        return outage.notInCluster ? [server] : [server, member];
      };
      const begin = async (): Promise<void> => {
        await Promise.all(affected().map((server) => outage.begin?.(server, all())));
        await outage.beginOnNetwork?.(all());
      };
      const end = async (): Promise<void> => {
        if (hasEnded) return;
        hasEnded = true;
        await outage.endOnNetwork?.(all());
        await Promise.all(affected().map((server) => outage.end?.(server)));
      };

      /** Runs a check for all ways at the same time. A failure has the name of its way. */
      const forAll = async (check: (guest: Guest) => PromiseLike<unknown>): Promise<void> => {
        const failures: string[] = [];
        const runs = guests.map(async (guest) => {
          try {
            await check(guest);
          } catch (error) {
            const alarms = guest.app.alarms.map((alarm) => JSON.stringify(alarm));
            failures.push(`${guest.name}: ${(error as Error).message} (alarms: ${alarms.join(', ') || 'none'})`);
          }
        });
        await Promise.all(runs);
        expect(failures).to.deep.equal([]);
      };
      /** The heartbeat of a cluster may notice the outage first; where new connections work, the call is then served. */
      const isServedAnew = ({ isCluster }: Guest, status: number): boolean =>
        isCluster && !outage.end && !outage.endOnNetwork && status === 200;
      const expectRecovery = (): Promise<void> =>
        forAll(({ app }) =>
          eventually(
            async () => {
              await app.get('/taint/after').expect(200);
              const { body } = await app.get('/labels').expect(200);
              expect(body).to.include('after');
            },
            { withinMs: 12_000 },
          ),
        );
      const expectAlarm = ({ app, isCluster }: Guest, op: 'load' | 'append', route: string): void => {
        const code = outage[op] as AplSessionErrorCode;
        expect(app.alarms).to.have.length(1);
        const [alarm] = app.alarms as [Alarm & { code?: string; error?: string }];
        expect(alarm).to.include({ alarm: 'session_store_failure', op, route });
        // the heartbeat of a cluster may miss its deadline first, and the connection is closed then
        const codes = isCluster && code === 'store.timeout' ? [code, 'store.unavailable'] : [code];
        expect(alarm.code).to.be.oneOf(codes);
        expect(alarm.error).to.match(outage.error ?? /./);
        expect(alarm.error).to.not.match(/session-of-alice|after/);
      };

      it(outage.load ? 'G2: a load is refused in time, and works again afterwards' : 'loads work', async function () {
        this.timeout(30_000);
        await begin();
        await forAll(async (guest) => {
          const { app } = guest;
          const { value, tookMs } = await timed(() => app.get('/labels'));
          if (outage.load === undefined) {
            expect(value.body).to.deep.equal(['before']);
            return;
          }
          if (isServedAnew(guest, value.status)) return;
          expect(value.status).to.equal(403);
          expect(value.body).to.include({ code: 'session.load_failed' });
          expect(tookMs).to.be.below(limitMs());
          expectAlarm(guest, 'load', 'GET *');
          // G6: requests without a session are not affected
          await app.getWithoutSession('/labels').expect(200);
        });
        if (outage.load && (outage.end ?? outage.endOnNetwork)) {
          await forAll(async ({ app }) => {
            const { tookMs } = await timed(() => app.get('/labels').expect(403));
            expect(tookMs).to.be.below(limitMs());
          });
        }
        await end();
        await expectRecovery();
      });

      it('G2: an append during the outage is denied in time, and works later', async function () {
        this.timeout(30_000);
        const begun = deferred<void>();
        let handlers = 0;
        for (const { app } of guests) {
          app.inHandler = () => {
            app.inHandler = () => {};
            handlers += 1;
            return begun.promise;
          };
        }
        let startedMs = 0;
        const asking = forAll(async (guest) => {
          const { status, body, headers } = await guest.app.get('/taint/lost');
          expect(performance.now() - startedMs).to.be.below(limitMs());
          if (isServedAnew(guest, status)) return;
          expect(status).to.equal(403);
          expect(body).to.include({ code: 'session.persist_failed' });
          expect(headers).to.not.have.property('x-stolen');
          expectAlarm(guest, 'append', 'GET /taint/:label');
          expect(guest.app.alarms[0]).to.include({ decisionWasAllow: true, bytesSent: false });
        });
        await eventually(() => handlers === guests.length);
        await begin();
        startedMs = performance.now();
        begun.resolve();
        await asking;
        await end();
        await expectRecovery();
      });
    });
  }
});
