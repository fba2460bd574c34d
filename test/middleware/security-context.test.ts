import { AsyncResource } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { Express, RequestHandler } from 'express';
import request from 'supertest';
import { currentSecurity, securityContext } from '../../lib/context.js';
import {
  AplSessionError,
  aplSessionMiddleware,
  MemorySessionStore,
  type RequestSecurity,
  type SessionStore,
} from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { eventually, thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { HeldStore } from '../support/held-store.js';
import { type RunningServer, serve, Wire } from '../support/raw-http.js';

const silent = { warn() {}, error() {} };

/** Code that knows of no request. */
async function idFromDepth(turns: number): Promise<string | undefined> {
  for (let n = 0; n < turns; n++) await turn();
  await new Promise((resolve) => process.nextTick(resolve));
  return currentSecurity().sessionId;
}

function codeThrown(call: () => unknown): string | undefined {
  const error = thrownBy(call);
  return error instanceof AplSessionError ? error.code : undefined;
}

describe('currentSecurity', () => {
  it('throws context.missing outside a request, and says what to do', () => {
    const error = thrownBy(currentSecurity);
    expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'context.missing');
    expect((error as Error).message).to.match(/securityContext\(\).*AsyncResource\.bind/);
  });

  it('securityContext rejects arguments, so it must be called to be mounted', () => {
    expect(codeThrown(() => securityContext(...([{}] as unknown as [])))).to.equal('config.invalid');
  });
});

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`currentSecurity, ${version}`, () => {
    let running: RunningServer | undefined;
    afterEach(async () => {
      await running?.close();
      running = undefined;
    });

    const session = (store: SessionStore = new MemorySessionStore()): RequestHandler =>
      aplSessionMiddleware({ session: (req) => req.get('x-session'), store, logger: silent });
    const start = async (app: Express): Promise<number> => {
      app.set('env', 'test');
      running = await serve(app);
      return running.port;
    };
    const ask = (app: Express, path = '/', id = 'one') =>
      request(app.set('env', 'test')).get(path).set('x-session', id);
    const answerId: RequestHandler = async (_req, res) => void res.json(await idFromDepth(2));

    it('is the security of the request anywhere in its call stack', async () => {
      const app = express().use(session(), securityContext());
      const emitter = new EventEmitter();
      app.get('/', async (req, res) => {
        const seen: RequestSecurity[] = [currentSecurity()];
        emitter.once('event', () => void seen.push(currentSecurity()));
        await new Promise((resolve) => setTimeout(resolve));
        emitter.emit('event');
        queueMicrotask(() => void seen.push(currentSecurity()));
        await turn();
        seen.push(currentSecurity());
        res.json(seen.map((security) => security === req.security));
      });
      expect((await ask(app)).body).to.deep.equal([true, true, true, true]);
    });

    it('G6: requests whose appends time out together keep their own security', async () => {
      const appended: string[][] = [];
      const denied: unknown[] = [];
      const store = {
        loadLabels: async () => [],
        appendLabels: (id: string, labels: readonly string[]) => {
          appended.push([id, ...labels]);
          return labels.includes('late') ? Promise.resolve() : new Promise<void>(() => {});
        },
      };
      const app = express().use(
        aplSessionMiddleware({
          session: (req) => req.get('x-session'),
          store,
          storeTimeoutMs: 20,
          logger: silent,
          denial: (_violation, req, res) => {
            denied.push([req.get('x-session'), currentSecurity().sessionId]);
            res.end();
          },
        }),
        securityContext(),
      );
      app.get('/', (_req, res) => {
        currentSecurity().labels.add('secret');
        res.on('finish', () => currentSecurity().labels.add('late'));
        res.end('data');
      });
      const port = await start(app);
      const ids = ['one', 'two', 'three'];
      await Promise.all(ids.map((id) => request(`http://127.0.0.1:${port}`).get('/').set('x-session', id)));
      await eventually(() => appended.length === 2 * ids.length);
      expect(denied).to.have.deep.members(ids.map((id) => [id, id]));
      expect(appended).to.have.deep.members(
        ids.flatMap((id) => [
          [id, 'secret'],
          [id, 'secret', 'late'],
        ]),
      );
    });

    it('G1: a label that is added through it holds the response, and is stored', async () => {
      const store = new HeldStore();
      const app = express().use(session(store), securityContext());
      app.get('/', async (_req, res) => {
        await turn();
        currentSecurity().labels.add('secret');
        res.json({ done: true });
      });
      const wire = new Wire(await start(app));
      wire.send('GET / HTTP/1.1\r\nHost: test\r\nx-session: one\r\nConnection: close\r\n\r\n');
      await store.called();
      await turn();
      expect(wire.received).to.equal('');
      store.release();
      expect(await wire.closed()).to.match(/^HTTP\/1.1 200/);
      expect(await store.loadLabels('one')).to.deep.equal(['secret']);
    });

    it('G7: a label that work adds after the response is stored', async () => {
      const store = new MemorySessionStore();
      const answered = deferred();
      const app = express().use(session(store), securityContext());
      app.get('/', (_req, res) => {
        void answered.promise.then(() => currentSecurity().labels.add('late'));
        res.end();
      });
      await ask(app);
      answered.resolve();
      await eventually(async () => expect([...(await store.loadLabels('one'))]).to.deep.equal(['late']));
    });

    it('stays the same when a handler replaces req.security', async () => {
      const app = express().use(session(), securityContext());
      app.get('/', (req, res, next) => {
        req.security = { ...req.security, sessionId: 'forged' };
        answerId(req, res, next);
      });
      expect((await ask(app)).body).to.equal('one');
    });

    it('has the session that a later mount of the middleware has found', async () => {
      const store = new MemorySessionStore();
      await store.appendLabels('one', ['secret']);
      const app = express();
      app.use(aplSessionMiddleware({ session: () => undefined, store }), securityContext());
      app.use((req, _res, next) => {
        req.security = { labels: new Set(['PII']) } as RequestSecurity;
        next();
      }, session(store));
      app.get('/', (_req, res) => {
        const { sessionId, labels } = currentSecurity();
        res.json([sessionId, ...labels]);
      });
      expect((await ask(app)).body).to.deep.equal(['one', 'secret', 'PII']);
    });

    it('without aplSessionMiddleware: middleware.missing in error handling', async () => {
      const app = express().use(securityContext(), answerId);
      const answer = await ask(app);
      expect(answer.status).to.equal(500);
      expect(answer.text).to.include('securityContext() met a request that aplSessionMiddleware has not seen');
    });

    it('throws context.missing on a route without securityContext()', async () => {
      const app = express().use(session());
      app.get('/', (_req, res) => void res.json(codeThrown(currentSecurity)));
      expect((await ask(app)).body).to.equal('context.missing');
    });

    it('is not set in the caller of the app', async () => {
      const outcomes: unknown[] = [];
      const app = express();
      app.use(session(), (req, res, next) => {
        securityContext()(req, res, next);
        outcomes.push(codeThrown(currentSecurity));
      });
      app.get('/', (_req, res) => {
        outcomes.push(currentSecurity().sessionId);
        res.end();
      });
      running = await serve((req, res) => {
        app(req, res);
        outcomes.push(codeThrown(currentSecurity));
      });
      await (await fetch(`http://127.0.0.1:${running.port}/`)).text();
      expect(outcomes).to.deep.equal(['context.missing', undefined, 'context.missing']);
    });

    it('another copy of the package has the context of this one', async () => {
      const copy = '../../lib/middleware/security-context.js?another';
      const other = (await import(copy)) as { currentSecurity: typeof currentSecurity };
      expect(other.currentSecurity).not.to.equal(currentSecurity);
      const app = express().use(session(), securityContext());
      app.get('/', (_req, res) => void res.json(other.currentSecurity().sessionId));
      expect((await ask(app)).body).to.equal('one');
    });

    describe('requests at the same time', () => {
      const mixing = async (): Promise<number> => {
        let count = 0;
        const slow = new (class extends MemorySessionStore {
          override async loadLabels(sessionId: string): Promise<string[]> {
            for (let n = count++ % 5; n > 0; n--) await turn();
            return super.loadLabels(sessionId);
          }
        })();
        const app = express().use(session(slow), securityContext());
        app.post('/', express.json(), async (req, res) => {
          const seen = new Set<string | undefined>();
          for (let n = 0; n < 4; n++) seen.add(await idFromDepth(Number(req.body.n + n) % 4));
          currentSecurity().labels.add(`label of ${currentSecurity().sessionId}`);
          seen.add(currentSecurity().sessionId);
          res.json([...seen, ...currentSecurity().labels]);
        });
        return start(app);
      };
      const own = (id: string) => [id, `label of ${id}`];

      it('G6: never see each other, on connections that are kept alive', async () => {
        const port = await mixing();
        const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
        const one = async (n: number): Promise<unknown> => {
          const headers = { 'x-session': `s${n}`, 'content-type': 'application/json' };
          const sent = http.request({ port, host: '127.0.0.1', agent, method: 'POST', headers });
          sent.end(JSON.stringify({ n }));
          const [answer] = (await once(sent, 'response')) as [http.IncomingMessage];
          return JSON.parse(Buffer.concat(await answer.toArray()).toString());
        };
        const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => one(n)));
        agent.destroy();
        expect(answers).to.deep.equal(Array.from({ length: 300 }, (_, n) => own(`s${n}`)));
      });

      it('G6: never see each other, pipelined on one connection', async () => {
        const wire = new Wire(await mixing());
        const total = 100;
        for (let n = 0; n < total; n++) {
          const body = JSON.stringify({ n });
          const ends = n === total - 1 ? 'Connection: close\r\n' : '';
          wire.send(
            `POST / HTTP/1.1\r\nHost: test\r\nx-session: s${n}\r\nContent-Type: application/json\r\n${ends}Content-Length: ${body.length}\r\n\r\n${body}`,
          );
        }
        const bodies = [...(await wire.closed()).matchAll(/^\["s.*?\]/gm)].map(([body]) => JSON.parse(body));
        expect(bodies).to.deep.equal(Array.from({ length: total }, (_, n) => own(`s${n}`)));
      });
    });

    describe('what can lose the request', () => {
      /** Goes on from an event of the request's stream, as parsers of uploads do. */
      const streamParser: RequestHandler = (req, _res, next) => void req.on('end', () => next()).resume();
      const upload = (app: Express) =>
        request(app.set('env', 'test')).post('/').set('x-session', 'one').send('x'.repeat(200_000));
      const answerOutcome: RequestHandler = (_req, res) => {
        try {
          res.json(currentSecurity().sessionId);
        } catch (error) {
          res.json((error as AplSessionError).code);
        }
      };

      it('express.json() behind the mount does not', async () => {
        const app = express().use(session(), securityContext(), express.json({ limit: '1mb' }), answerOutcome);
        const answer = await request(app)
          .post('/')
          .set('x-session', 'one')
          .send({ text: 'x'.repeat(200_000) });
        expect(answer.body).to.equal('one');
      });

      it('a parser that goes on from stream events does, unless mounted before', async () => {
        const behind = express().use(session(), securityContext(), streamParser, answerOutcome);
        expect((await upload(behind)).body).to.equal('context.missing');
        const before = express().use(streamParser, session(), securityContext(), answerOutcome);
        expect((await upload(before)).body).to.equal('one');
      });

      it('a second mount behind such a parser finds it again', async () => {
        const app = express().use(session(), securityContext(), streamParser, securityContext(), answerOutcome);
        expect((await upload(app)).body).to.equal('one');
      });

      it('AsyncResource.bind() keeps it for a listener', async () => {
        const app = express().use(session(), securityContext());
        app.post('/', (req, res, next) => {
          req
            .on(
              'end',
              AsyncResource.bind(() => answerOutcome(req, res, next)),
            )
            .resume();
        });
        expect((await upload(app)).body).to.equal('one');
      });

      it('callbacks of a shared connection have the context of its opener', async () => {
        const echo = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
        await once(echo, 'listening');
        const pool = new CallbackPool((echo.address() as AddressInfo).port);
        const app = express().use(session(), securityContext());
        app.get('/bare', (_req, res) => pool.ask(() => res.json(currentSecurity().sessionId)));
        app.get('/bound', (_req, res) => pool.ask(AsyncResource.bind(() => res.json(currentSecurity().sessionId))));
        app.get('/promised', async (_req, res) => {
          await new Promise<void>((resolve) => pool.ask(resolve));
          res.json(currentSecurity().sessionId);
        });
        try {
          expect((await ask(app, '/bare', 'first')).body).to.equal('first');
          expect((await ask(app, '/bare', 'second')).body, 'the hazard').to.equal('first');
          expect((await ask(app, '/bound', 'third')).body).to.equal('third');
          expect((await ask(app, '/promised', 'fourth')).body).to.equal('fourth');
        } finally {
          pool.close();
          echo.close();
        }
      });
    });
  });
}

/** One connection for all requests, opened by the first. Replies arrive in order. */
class CallbackPool {
  readonly #port: number;
  readonly #waiting: Array<() => void> = [];
  #socket: net.Socket | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  ask(callback: () => void): void {
    this.#waiting.push(callback);
    this.#socket ??= net.connect(this.#port, '127.0.0.1').on('data', () => this.#waiting.shift()?.());
    this.#socket.write('?');
  }

  close(): void {
    this.#socket?.destroy();
  }
}
