import { once } from 'node:events';
import type { Server } from 'node:http';
import { expect } from 'chai';
import express, { type Express } from 'express';
import request from 'supertest';
import { type AplSessionMiddleware, aplSessionMiddleware, subjectSession, taint } from '../../lib/index.js';
import { type ValkeySessionStoreOptions, valkeySessionStoreFactory } from '../../lib/valkey.js';
import { CountingProxy } from '../support/counting-proxy.js';
import { eventually } from '../support/eventually.js';
import { describeWithValkey } from '../support/valkey.js';
import { describeWithAllWays, optionsOf, WAYS } from '../support/ways-to-connect.js';

function appWith(middleware: AplSessionMiddleware): Express {
  const app = express();
  app.use(middleware);
  app.get('/clean', (_req, res) => {
    res.json({});
  });
  app.get('/taint-in-handler', (req, res) => {
    req.security.labels.add('a').add('b');
    res.json({});
  });
  app.get('/taint-first', taint('a', 'b'), (_req, res) => {
    res.json({});
  });
  app.get('/taint-twice', taint('a'), (req, res) => {
    req.security.labels.add('b');
    res.json({});
  });
  return app;
}

describeWithValkey('what a request costs in Valkey', (server) => {
  for (const { what, ttlSeconds } of [
    { what: 'without a TTL', ttlSeconds: undefined },
    { what: 'with a TTL', ttlSeconds: 60 },
  ]) {
    describe(what, () => {
      const load = ttlSeconds ? { smembers: 1, expire: 1 } : { smembers: 1 };
      const loadAndAppend = ttlSeconds
        ? { smembers: 1, expire: 2, multi: 1, sadd: 1, exec: 1 }
        : { smembers: 1, sadd: 1 };
      let proxy: CountingProxy;
      let middleware: AplSessionMiddleware;
      let http: Server;

      /** A session of its own for each test: the process remembers what it stored, also when the server was flushed. */
      let session: string;
      let sessions = 0;

      const get = (path: string, own = true): request.Test => {
        const test = request(http).get(path);
        return own ? test.set({ 'x-subject': 'alice', 'mcp-session-id': session }) : test;
      };

      before(async () => {
        proxy = await CountingProxy.start(server());
        middleware = aplSessionMiddleware({
          session: subjectSession({
            subject: (req) => req.get('x-subject'),
            sessionId: (req) => req.get('mcp-session-id'),
          }),
          store: {
            kind: 'valkey',
            endpoint: proxy.url,
            connectTimeoutMs: 2_000,
            commandTimeoutMs: 2_000,
            ...(ttlSeconds && { ttlSeconds }),
          },
          storeFactories: [valkeySessionStoreFactory],
        });
        http = appWith(middleware).listen(0, '127.0.0.1');
        await once(http, 'listening');
      });
      after(async () => {
        http.close();
        await once(http, 'close');
        await middleware.close();
        await proxy.close();
      });
      beforeEach(async () => {
        await server().flush();
        // so that the connection is there, whose making is not counted
        sessions += 1;
        session = `s${sessions}`;
        await get('/clean').expect(200);
      });

      for (const { title, path, own = true, status = 200, commands, roundTrips } of [
        {
          title: 'a clean request: one load, one round trip',
          path: '/clean',
          commands: load,
          roundTrips: 1,
        },
        {
          title: 'labels added by a handler: one load and one append, two round trips',
          path: '/taint-in-handler',
          commands: loadAndAppend,
          roundTrips: 2,
        },
        {
          title: 'a write-ahead taint(): one load and one append, two round trips',
          path: '/taint-first',
          commands: loadAndAppend,
          roundTrips: 2,
        },
        { title: 'G6: a request without a session: nothing', path: '/clean', own: false, commands: {}, roundTrips: 0 },
        {
          title: 'G6: a request without a session that adds labels: nothing',
          path: '/taint-in-handler',
          own: false,
          commands: {},
          roundTrips: 0,
        },
        {
          title: 'G6: taint() without a session: nothing',
          path: '/taint-first',
          own: false,
          commands: {},
          roundTrips: 0,
        },
        { title: 'no route at all: one load', path: '/none', status: 404, commands: load, roundTrips: 1 },
      ]) {
        it(title, async () => {
          let trips = -1;
          const counts = await server().countCommands(async () => {
            trips = await proxy.countRoundTrips(() => get(path, own).expect(status));
          });
          expect(counts).to.deep.equal(commands);
          expect(trips).to.equal(roundTrips);
        });
      }

      it('labels that the session has already: one load, one round trip', async () => {
        await get('/taint-in-handler').expect(200);
        const counts = await server().countCommands(async () => {
          const trips = await proxy.countRoundTrips(() => get('/taint-first').expect(200));
          expect(trips).to.equal(1);
        });
        expect(counts).to.deep.equal(load);
      });

      it('taint() and a label of the handler: one load, two appends', async () => {
        const trips = await proxy.countRoundTrips(() => get('/taint-twice').expect(200));
        expect(trips).to.equal(3);
      });
    });
  }
});

/** What the store sends to the nodes of a cluster four times a second. */
const HEARTBEAT = /^\*2\r\n\$4\r\necho\r\n\$\d+\r\n[^\r]*\r\n$/;

const MODES: ReadonlyArray<readonly [name: string, durability: ValkeySessionStoreOptions]> = [
  ['durability off', {}],
  ['the disk', { durability: { local: 'synced' } }],
  ['a replica', { durability: { replicas: 1 } }],
  ['the disk, a replica and fenced reads', { durability: { local: 'synced', replicas: 1, fencedReads: true } }],
];

/** What a client of the app is made of decides how the store finds its servers, and one library is enough for that. */
const PLAIN_WAYS = WAYS.filter(({ isSecure, library = 'ioredis 6' }) => !isSecure && library === 'ioredis 6');

describeWithAllWays(
  'round trips to Valkey, in each way to connect',
  (all) => {
    const roundTrips = async (action: () => Promise<unknown>): Promise<number> => {
      const total = (): number => all().proxies.reduce((sum, proxy) => sum + proxy.roundTrips, 0);
      const before = total();
      await action();
      return total() - before;
    };
    before(() => {
      // the Sentinels and the replicas use the proxies too
      for (const proxy of all().proxies) proxy.onlyOf = 'express-apl-session';
      // the requests here have their labels on one node, and the others get its heartbeats
      for (const proxy of all().proxiesOfOtherNodes) proxy.ignores = HEARTBEAT;
    });

    let sessions = 0;
    const nextSession = (): string => {
      sessions += 1;
      return all().sessions(sessions).at(-1) ?? '';
    };
    for (const way of PLAIN_WAYS) {
      for (const [mode, durability] of MODES) {
        for (const ttlSeconds of [undefined, 60]) {
          describe(`${way.name}, ${mode}, ${ttlSeconds ? 'with' : 'without'} a TTL`, () => {
            it('a clean request costs one round trip, new labels one more', async function () {
              this.timeout(40_000);
              const middleware = aplSessionMiddleware({
                session: (req) => req.get('x-session'),
                store: {
                  kind: 'valkey',
                  connectTimeoutMs: 2_000,
                  commandTimeoutMs: 2_000,
                  ...durability,
                  ...(ttlSeconds && { ttlSeconds }),
                  ...optionsOf(way.setup(all())),
                },
                storeFactories: [valkeySessionStoreFactory],
                // a cluster of this test has primaries without a replica
                logger: { warn() {}, error() {} },
              });
              const http = appWith(middleware).listen(0, '127.0.0.1');
              await once(http, 'listening');
              const get = (path: string, session: string): request.Test =>
                request(http).get(path).set('x-session', session);
              const expectTrips = async (path: string, session: string, trips: number): Promise<void> => {
                expect(await roundTrips(() => get(path, session).expect(200))).to.equal(trips);
              };
              // a heartbeat to the node with the labels may fall into a request, but not into all of them
              const measure = (trips: () => Promise<void>): Promise<void> =>
                way.servers === 'cluster' ? eventually(trips, { withinMs: 9_000 }) : trips();
              try {
                // so that the connections are there
                const tainted = nextSession();
                await get('/taint-in-handler', tainted).expect(200);
                await measure(() => expectTrips('/clean', nextSession(), 1));
                await measure(() => expectTrips('/taint-in-handler', nextSession(), 2));
                await measure(() => expectTrips('/taint-first', tainted, 1));
              } finally {
                http.close();
                await once(http, 'close');
                await middleware.close();
              }
            });
          });
        }
      }
    }
  },
  { isDurable: true },
);
