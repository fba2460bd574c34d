import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import type net from 'node:net';
import { expect } from 'chai';
import type { Express, Request, RequestHandler, Response } from 'express';
import { aplSessionMiddleware } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { sessionPerRequest } from '../support/gated-server.js';
import { HeldStore } from '../support/held-store.js';
import { expectDenial, parseResponse, parseResponses } from '../support/parse-response.js';
import { get, type RunningServer, serve, Wire } from '../support/raw-http.js';

const CLOSE = { Connection: 'close' };
const tainted: RequestHandler = (req, res) => {
  req.security.labels.add(`label of ${req.url}`);
  res.set('X-Handler', 'yes').send(`salary-4711 ${req.originalUrl}`);
};
const clean: RequestHandler = (req, res) => void res.send(`clean ${req.originalUrl}`);

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`Apps on ${version}`, () => {
    let store: HeldStore;
    let app: Express;
    let server: RunningServer | undefined;
    let session: RequestHandler;
    beforeEach(() => {
      store = new HeldStore();
      session = aplSessionMiddleware({
        session: sessionPerRequest(),
        store,
        storeTimeoutMs: 60_000,
        logger: { warn() {}, error() {} },
      });
      app = express();
      app.disable('x-powered-by');
      app.get('/probe', (_req, res) => void res.end('probe'));
      server = undefined;
    });
    afterEach(() => server?.close());

    const listen = async (): Promise<RunningServer> => {
      server = await serve(app);
      return server;
    };
    const send = (port: number, ...requests: string[]): Wire => {
      const wire = new Wire(port);
      wire.send(requests.join(''));
      return wire;
    };
    /** A round trip over the same server, so that what had been written before has arrived. */
    const probe = async (port: number): Promise<void> => {
      expect(await send(port, get('/probe', CLOSE)).closed()).to.match(/probe$/);
    };

    describe('P58: sub-apps, routers, and more than one mount', () => {
      const mounts: Readonly<Record<string, () => void>> = {
        'in the parent of a sub-app': () => {
          app.use(session);
          app.use('/sub', express().get('/x', tainted));
        },
        'in a sub-app, with the handler in a sub-app of its own': () => {
          app.use('/sub', express().use(session).use(express().get('/x', tainted)));
        },
        'in the parent and in the sub-app': () => {
          app.use(session);
          app.use('/sub', express().use(session).get('/x', tainted));
        },
        'twice in one app': () => {
          app.use(session);
          app.use(session);
          app.get('/sub/x', tainted);
        },
        'as two middlewares over one store': () => {
          app.use(session);
          app.use(aplSessionMiddleware({ session: sessionPerRequest(), store, logger: { warn() {}, error() {} } }));
          app.get('/sub/x', tainted);
        },
        'in a router of its own': () => {
          app.use('/sub', express.Router().use(session).get('/x', tainted));
        },
        'in front of one route': () => {
          app.get('/sub/x', session, tainted);
        },
        'in the parent, and the label is added before a sub-app that passes on': () => {
          app.use(session);
          app.use((req, _res, next) => {
            req.security.labels.add('of the parent');
            next();
          });
          app.use(express());
          app.get('/sub/x', tainted);
        },
      };
      for (const [where, mount] of Object.entries(mounts)) {
        it(`G1: ${where}: one load, one append, held, then sent`, async () => {
          mount();
          const { port } = await listen();
          const wire = send(port, get('/sub/x', CLOSE));
          const append = await store.nextAppend();
          await probe(port);
          expect(wire.received).to.equal('');
          append.succeed();
          expect(parseResponse(await wire.closed()).body).to.equal('salary-4711 /sub/x');
          expect([store.loads.length, store.appends.length]).to.deep.equal([1, 1]);
        });

        it(`G2: ${where}: denied`, async () => {
          mount();
          const { port } = await listen();
          const wire = send(port, get('/sub/x', CLOSE));
          (await store.nextAppend()).fail();
          const text = await wire.closed();
          expect(text).not.to.match(/salary|x-handler/i);
          const subApp = /X-Powered-By/.test(text) ? ['x-powered-by'] : [];
          expectDenial(parseResponse(text), 'session.persist_failed', subApp);
          expect([store.loads.length, store.appends.length]).to.deep.equal([1, 1]);
        });
      }

      it('G6: a route beside the router with the middleware makes no store call', async () => {
        app.use('/sub', express.Router().use(session).get('/x', tainted));
        app.get('/beside', clean);
        const { port } = await listen();
        expect(parseResponse(await send(port, get('/beside', CLOSE)).closed()).body).to.equal('clean /beside');
        expect(store.loads.length).to.equal(0);
      });
    });

    describe('P36: keep-alive and pipelining', () => {
      beforeEach(() => {
        app.use(session);
        app.get(/^\/tainted/, tainted);
        app.get(/^\/clean/, clean);
      });

      it('one request after the other: sent, denied, sent, sent', async () => {
        const { port } = await listen();
        const wire = new Wire(port);
        wire.send(get('/clean/1'));
        await wire.until(/clean \/clean\/1$/);
        wire.send(get('/tainted/2'));
        (await store.nextAppend()).fail();
        await wire.until(/persist_failed"}$/);
        wire.send(get('/tainted/3'));
        (await store.nextAppend()).succeed();
        await wire.until(/salary-4711 \/tainted\/3$/);
        wire.send(get('/clean/4', CLOSE));
        const responses = parseResponses(await wire.closed(), ['GET', 'GET', 'GET', 'GET']);
        expect(responses.map(({ status }) => status)).to.deep.equal([200, 403, 200, 200]);
        expect(responses[2]?.body).to.equal('salary-4711 /tainted/3');
        expect(responses[3]?.body).to.equal('clean /clean/4');
      });

      for (const outcome of ['succeed', 'fail'] as const) {
        it(`two in one segment, the first held until its append ${outcome}s`, async () => {
          const { port } = await listen();
          const wire = send(port, get('/tainted/1'), get('/clean/2', CLOSE));
          const append = await store.nextAppend();
          await probe(port);
          expect(wire.received).to.equal('');
          append[outcome]();
          const [first, second] = parseResponses(await wire.closed(), ['GET', 'GET']);
          expect(first?.status).to.equal(outcome === 'succeed' ? 200 : 403);
          expect(first?.body).to.match(
            outcome === 'succeed' ? /^salary-4711 \/tainted\/1$/ : /session\.persist_failed/,
          );
          expect(second?.body).to.equal('clean /clean/2');
        });
      }

      for (const [name, order] of Object.entries({ 'first to last': [0, 1, 2], 'last to first': [2, 1, 0] })) {
        for (const outcomes of [
          ['fail', 'succeed', 'fail'],
          ['succeed', 'fail', 'succeed'],
        ] as const) {
          it(`three in one segment, all held, settled ${name} as ${outcomes.join(', ')}`, async () => {
            const { port } = await listen();
            const wire = send(port, get('/tainted/0'), get('/tainted/1'), get('/tainted/2', CLOSE));
            const appends = [await store.nextAppend(), await store.nextAppend(), await store.nextAppend()];
            expect(appends.map(({ labels }) => labels[0])).to.deep.equal(
              [0, 1, 2].map((n) => `label of /tainted/${n}`),
            );
            await probe(port);
            expect(wire.received).to.equal('');
            for (const index of order) {
              // nothing may overtake a response that is still held
              if (index === 0 && order[0] !== 0) expect(wire.received).to.equal('');
              appends[index]?.[outcomes[index] ?? 'fail']();
              await probe(port);
            }
            const responses = parseResponses(await wire.closed(), ['GET', 'GET', 'GET']);
            expect(responses.map(({ status }) => status)).to.deep.equal(
              outcomes.map((outcome) => (outcome === 'succeed' ? 200 : 403)),
            );
            responses.forEach(({ body }, index) => {
              const sent = outcomes[index] === 'succeed';
              expect(body).to.match(sent ? new RegExp(`^salary-4711 /tainted/${index}$`) : /session\.persist_failed/);
            });
          });
        }
      }

      it('G1: a queued response that gets a label is held at its turn', async () => {
        let late: Request | undefined;
        app.get('/waits', (req, res) => {
          late = req;
          res.send('salary-4711');
        });
        const { port } = await listen();
        const wire = send(port, get('/tainted/1'), get('/waits', CLOSE));
        const first = await store.nextAppend();
        await probe(port);
        late?.security.labels.add('late');
        first.succeed();
        await wire.until(/tainted\/1$/);
        const second = await store.nextAppend();
        await probe(port);
        parseResponses(wire.received, ['GET']);
        second.fail();
        const [, denial] = parseResponses(await wire.closed(), ['GET', 'GET']);
        expectDenial(denial as NonNullable<typeof denial>, 'session.persist_failed', []);
      });
    });

    describe('P49: graceful shutdown', () => {
      for (const [when, outcome, body] of [
        ['a keep-alive connection', 'succeed', /^salary-4711 \/tainted$/],
        ['a keep-alive connection', 'fail', /session\.persist_failed/],
        ['a connection that ends', 'succeed', /^salary-4711 \/tainted$/],
        ['a connection that ends', 'fail', /session\.persist_failed/],
      ] as const) {
        it(`server.close() during the hold on ${when} waits (append ${outcome}s)`, async () => {
          app.use(session).get('/tainted', tainted);
          const running = await listen();
          const wire = send(running.port, get('/tainted', when === 'a connection that ends' ? CLOSE : {}));
          const append = await store.nextAppend();
          const closed = once(running.server, 'close');
          running.server.close();
          append[outcome]();
          const response = parseResponse(await wire.closed());
          expect(response.body).to.match(body);
          expect(wire.ending).to.equal('end');
          await closed;
        });
      }
    });

    describe('P45: a client that half-closes its connection during the hold', () => {
      for (const outcome of ['succeed', 'fail'] as const) {
        it(`append ${outcome}s: no leak, no error, and one close event`, async () => {
          const closed = deferred();
          let closes = 0;
          app.use(session).get('/tainted', (_req, res, next) => {
            res.on('close', () => {
              closes++;
              closed.resolve();
            });
            next();
          });
          app.get('/tainted', tainted);
          const { port } = await listen();
          const wire = new Wire(port);
          wire.socket.end(get('/tainted'), 'latin1');
          const append = await store.nextAppend();
          await probe(port);
          expect(wire.received).to.equal('');
          append[outcome]();
          await closed.promise;
          await wire.closed();
          await probe(port);
          expect(closes).to.equal(1);
          if (outcome === 'fail') expect(wire.received).not.to.match(/salary/);
          expect(await store.loadLabels('s1')).to.deep.equal(outcome === 'succeed' ? ['label of /tainted'] : []);
        });
      }
    });

    describe('P51: the async context', () => {
      it('belongs to the request in next(), in callbacks and in events', async () => {
        const storage = new AsyncLocalStorage<string>();
        const seen: Record<string, string | undefined> = {};
        const note = (where: string) => () => {
          seen[where] = storage.getStore();
        };
        app.use((req, _res, next) => storage.run(`context of ${req.path}`, next));
        app.use(session);
        app.get('/x', (req: Request, res: Response) => {
          note('handler')();
          req.security.labels.add('secret');
          res.on('finish', note('finish'));
          res.on('close', note('close'));
          res.write('salary', note('write callback'));
          res.end('-4711', note('end callback'));
        });
        const native: typeof seen = {};
        const { port } = await listen();
        const wire = send(port, get('/x', CLOSE));
        const append = await store.nextAppend();
        storage.run('context of the store', () => append.succeed());
        await wire.closed();
        await probe(port);
        for (const where of ['handler', 'write callback', 'end callback', 'finish', 'close']) {
          native[where] = 'context of /x';
        }
        expect(seen).to.deep.equal(native);
      });

      it('belongs to the request after next() when the load was slow', async () => {
        const storage = new AsyncLocalStorage<string>();
        const seen = deferred<string | undefined>();
        store.holdLoads = true;
        app.use((_req, _res, next) => storage.run('of the request', next));
        app.use(session);
        app.get('/x', (_req, res) => {
          seen.resolve(storage.getStore());
          res.end();
        });
        const { port } = await listen();
        const wire = send(port, get('/x', CLOSE));
        const load = await store.nextLoad();
        storage.run('of the store', () => load.succeed());
        expect(await seen.promise).to.equal('of the request');
        await wire.closed();
      });
    });

    describe('P50: upgrades', () => {
      const UPGRADE = { Connection: 'Upgrade', Upgrade: 'echo' };
      beforeEach(() => {
        app.use(session).get(/^\/tainted/, tainted);
      });

      it('an upgrade request works, and makes no store call', async () => {
        const running = await listen();
        running.server.on('upgrade', (_req, socket: net.Socket) => {
          socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
          socket.pipe(socket);
        });
        const wire = send(running.port, get('/tainted', UPGRADE));
        await wire.until(/\r\n\r\n$/);
        wire.send('ping');
        expect(await wire.until(/ping$/)).to.match(/^HTTP\/1\.1 101 .*\r\n\r\nping$/s);
        expect(store.loads.length).to.equal(0);
        wire.destroy();
      });

      it('G1: without an upgrade listener, an upgrade is a normal request', async () => {
        const { port } = await listen();
        const wire = send(port, get('/tainted', UPGRADE));
        const append = await store.nextAppend();
        await probe(port);
        expect(wire.received).to.equal('');
        append.succeed();
        expect(parseResponse(await wire.until(/salary-4711 \/tainted$/)).status).to.equal(200);
        wire.destroy();
      });

      it('G1: an upgrade behind a held response lets no byte of it out', async () => {
        const running = await listen();
        const upgraded = deferred();
        running.server.on('upgrade', (_req, socket: net.Socket) => {
          socket.destroy();
          upgraded.resolve();
        });
        const wire = send(running.port, get('/tainted'), get('/tainted', UPGRADE));
        const append = await store.nextAppend();
        await upgraded.promise;
        append.fail();
        expect(await wire.closed()).not.to.match(/salary/);
      });
    });
  });
}
