import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { expect } from 'chai';
import type { Express, Request, RequestHandler } from 'express';
import request from 'supertest';
import {
  type Alarm,
  type AplSessionMiddleware,
  type AplSessionOptions,
  aplSessionMiddleware,
  MemorySessionStore,
  type RequestSecurity,
  type SessionResolver,
  type SessionStore,
} from '../../lib/index.js';
import { eventually, rejectionOf, thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { deferred, HeldStore, ScriptedStore } from '../support/failing-stores.js';
import { runModule } from '../support/node-child.js';
import { get, type RunningServer, serve, Wire } from '../support/raw-http.js';

const SESSION = 'session-of-alice';
const LABEL = 'secret-label';
const ok: RequestHandler = (_req, res) => void res.send('ok');
const addLabel: RequestHandler = (req, _res, next) => {
  req.security.labels.add(LABEL);
  next();
};

function rejecting(message = 'store failed'): () => Promise<never> {
  return () => Promise.reject(new Error(message));
}

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`aplSessionMiddleware, ${version}`, () => {
    const servers: RunningServer[] = [];
    const alarms: Alarm[] = [];
    /** Requests that reached a handler behind the middleware. */
    let seen: Request[];

    beforeEach(() => {
      alarms.length = 0;
      seen = [];
    });
    afterEach(async () => {
      await Promise.all(servers.splice(0).map((server) => server.close()));
    });

    function middlewareWith(options: Partial<AplSessionOptions> = {}): AplSessionMiddleware {
      return aplSessionMiddleware({
        session: () => SESSION,
        logger: { warn() {}, error() {} },
        onAlarm: (alarm) => void alarms.push(alarm),
        ...options,
      });
    }

    /** An app of these handlers; it notes the requests that get behind the first. */
    function appOf(...handlers: RequestHandler[]): Express {
      const [first = ok, ...rest] = handlers;
      const note: RequestHandler = (req, _res, next) => {
        seen.push(req);
        next();
      };
      return express()
        .set('env', 'test')
        .use(first, note, ...rest);
    }

    async function listen(app: Express): Promise<RunningServer> {
      const server = await serve(app);
      servers.push(server);
      return server;
    }

    describe('which session', () => {
      const answers: ReadonlyArray<readonly [what: string, answer: unknown, id: string | undefined, source?: string]> =
        [
          ['a string', SESSION, SESSION, 'custom'],
          ['{ id, source }', { id: SESSION, source: 'agent' }, SESSION, 'agent'],
          ['{ id }', { id: SESSION }, SESSION, 'custom'],
          ['undefined', undefined, undefined],
          ['null', null, undefined],
          ["''", '', undefined],
          ["{ id: '' }", { id: '' }, undefined],
        ];
      for (const [what, answer, id, source] of answers) {
        for (const [how, resolver] of [
          [what, () => answer],
          [`a promise of ${what}`, async () => answer],
        ] as ReadonlyArray<readonly [string, SessionResolver]>) {
          it(`G6: ${how} is ${id === undefined ? 'no session, and the store is not touched' : 'a session'}`, async () => {
            const store = new ScriptedStore({ load: async () => ['stored'] });
            const app = appOf(middlewareWith({ session: resolver, store }), addLabel, ok);
            await request(app).get('/').expect(200, 'ok');
            const security = seen[0]?.security;
            expect(security?.sessionId).to.equal(id);
            expect(security?.source).to.equal(source);
            expect([...(security?.labels ?? [])]).to.deep.equal(id === undefined ? [LABEL] : ['stored', LABEL]);
            expect(store.loads).to.deep.equal(id === undefined ? [] : [id]);
            expect(store.appends).to.deep.equal(id === undefined ? [] : [[LABEL]]);
          });
        }
      }

      it('G6, G7: labels without a session live for the request, which is alarmed, and persist() resolves without a store', async () => {
        const store = new ScriptedStore({ load: rejecting(), append: rejecting() });
        const app = appOf(middlewareWith({ session: () => undefined, store }), async (req, res) => {
          const before = [...req.security.labels];
          req.security.labels.add(LABEL);
          await req.security.persist();
          res.json({ before, after: [...req.security.labels] });
        });
        for (let n = 0; n < 2; n++)
          await request(app)
            .get('/')
            .expect(200, { before: [], after: [LABEL] });
        const reason = 'the resolver found no session';
        const error = `The request has no session: ${reason}.`;
        expect(alarms).to.deep.equal([{ alarm: 'session_missing', route: 'GET *', reason, error }]);
      });

      const wrong: ReadonlyArray<readonly [what: string, resolver: unknown, message: RegExp]> = [
        ['throws', () => thrower('resolver threw'), /resolver threw/],
        ['rejects', async () => thrower('resolver rejected'), /resolver rejected/],
        ['returns a number', () => 5, /session\.invalid/],
        ['returns true', () => true, /session\.invalid/],
        ['returns an empty object', () => ({}), /session\.invalid/],
        ['returns an array', () => ['a'], /session\.invalid/],
        ['returns an id that is no string', () => ({ id: 5 }), /session\.invalid/],
        ['returns a source that is no string', () => ({ id: 'a', source: 5 }), /session\.invalid/],
        ['returns a lone surrogate', () => '\ud800', /session\.invalid/],
        ['returns a promise of garbage', async () => 5, /session\.invalid/],
      ];
      for (const [what, resolver, message] of wrong) {
        it(`G2: a resolver that ${what} is an error of the app: 500, no handler, no store`, async () => {
          const store = new ScriptedStore();
          const app = appOf(middlewareWith({ session: resolver as SessionResolver, store }), ok).use(answerError);
          const { text } = await request(app).get('/').expect(500);
          expect(text).to.match(message);
          expect(seen).to.deep.equal([]);
          expect(store.loads).to.deep.equal([]);
        });
      }
    });

    describe('mounted more than once (P58)', () => {
      it('twice, the same and another instance, in an app and its routers: one load, one append', async () => {
        const store = new ScriptedStore({ load: async () => ['stored'] });
        const same = middlewareWith({ store });
        const other = middlewareWith({ store });
        const identities = new Set<RequestSecurity>();
        const look: RequestHandler = (req, _res, next) => {
          identities.add(req.security);
          next();
        };
        const router = express.Router().use(same, look, other, look, addLabel, ok);
        const subApp = express().use(other, look, same, look).use('/router', router);
        await request(appOf(same, look, same, look).use('/sub', subApp))
          .get('/sub/router')
          .expect(200, 'ok');
        expect(identities.size).to.equal(1);
        expect(store.loads).to.deep.equal([SESSION]);
        expect(store.appends).to.deep.equal([[LABEL]]);
      });

      it('before and after the authentication: the mount that finds the session takes over, with the labels so far', async () => {
        const store = new ScriptedStore({ load: async () => ['stored'] });
        const labels: string[][] = [];
        const app = appOf(
          middlewareWith({ store, session: () => undefined }),
          addLabel,
          middlewareWith({ store }),
          (req, res) => {
            labels.push([...req.security.labels]);
            res.send(req.security.sessionId);
          },
        );
        await request(app).get('/').expect(200, SESSION);
        expect(labels).to.deep.equal([['stored', LABEL]]);
        expect(store.appends).to.deep.equal([[LABEL]]);
      });

      for (const [what, options] of [
        ['another session', { session: () => 'another session' }],
        ['another store', { store: new ScriptedStore() }],
      ] as const) {
        it(`G2: two mounts with ${what}: middleware.conflict, as neither may be ignored`, async () => {
          const store = new ScriptedStore();
          const app = appOf(middlewareWith({ store }), middlewareWith({ store, ...options }), ok).use(answerError);
          expect((await request(app).get('/').expect(500)).text).to.contain('middleware.conflict');
        });
      }

      it('P55: next is called once, also when the handler throws or the store fails', async () => {
        const calls: unknown[] = [];
        const counted = (middleware: RequestHandler): RequestHandler => {
          return (req, res, next) => {
            const once: typeof next = (error?: unknown) => {
              calls.push(error);
              next(error);
            };
            void middleware(req, res, once);
          };
        };
        const throwing: RequestHandler = (req) => {
          req.security.labels.add(LABEL);
          throw new Error('from the handler');
        };
        const failing = new ScriptedStore({ append: rejecting() });
        await request(appOf(counted(middlewareWith({ store: failing })), throwing))
          .get('/')
          .expect(403);
        expect(calls).to.deep.equal([undefined]);
        const unloadable = new ScriptedStore({ load: rejecting() });
        await request(appOf(counted(middlewareWith({ store: unloadable })), throwing))
          .get('/')
          .expect(403);
        expect(calls).to.deep.equal([undefined]);
      });

      it('G1, G2: a sub-app, which swaps the prototype of the response, is behind the gate', async () => {
        const store = new ScriptedStore({ append: rejecting() });
        const subApp = express().use(addLabel, (_req, res) => void res.cookie('stolen', '1').json({ stolen: 1 }));
        const { body, headers } = await request(appOf(middlewareWith({ store })).use('/sub', subApp))
          .get('/sub')
          .expect(403);
        expect(body.code).to.equal('session.persist_failed');
        expect(headers).to.not.have.property('set-cookie');
      });
    });

    describe('requests that arrive together go on together', () => {
      for (const [what, session] of [
        ['with a session', () => SESSION],
        ['without one', () => undefined],
      ] as ReadonlyArray<readonly [string, SessionResolver]>) {
        it(`G6: ${what}, each in the asynchronous context it came with`, async () => {
          const context = new AsyncLocalStorage<string>();
          const enter: RequestHandler = (req, _res, next) => context.run(req.url, next);
          const answer: RequestHandler = (req, res) => void res.send([req.url, context.getStore()].join());
          const { port } = await listen(appOf(enter, middlewareWith({ session }), answer));
          const wire = new Wire(port);
          const paths = Array.from({ length: 20 }, (_, n) => `/${n}`);
          // in one write, so that all of them are parsed in one turn of the event loop
          wire.send(paths.map((path) => get(path, path === '/19' ? { Connection: 'close' } : {})).join(''));
          const answers = [...(await wire.closed()).matchAll(/\r\n\r\n(\S+?)(?=HTTP|$)/g)].map(([, body]) => body);
          expect(answers).to.deep.equal(paths.map((path) => `${path},${path}`));
        });
      }

      it('a request does not wait for timers that an app has replaced', async () => {
        const { setImmediate: real } = globalThis;
        const fake: RequestHandler = (_req, _res, next) => {
          globalThis.setImmediate = (() => ({})) as unknown as typeof real;
          next();
          globalThis.setImmediate = real;
        };
        const app = appOf(fake, middlewareWith({ session: () => undefined }), ok);
        await request(app).get('/').expect(200, 'ok');
      });
    });

    describe('req.security of an earlier middleware', () => {
      function withEarlier(earlier: unknown, store: SessionStore, ...handlers: RequestHandler[]): Express {
        return appOf(
          (req, _res, next) => {
            req.security = earlier as RequestSecurity;
            next();
          },
          middlewareWith({ store }),
          ...handlers,
        );
      }

      for (const [what, labels] of [
        ['a Set', new Set(['early', 'stored'])],
        ['an array', ['early', 'stored']],
      ] as const) {
        it(`G7: its labels (${what}) count as new unless stored, the object and its members stay`, async () => {
          const earlier = { labels, user: 'alice', toString: () => 'mine' };
          const store = new ScriptedStore({ load: async () => ['stored'] });
          await request(withEarlier(earlier, store, addLabel, ok))
            .get('/')
            .expect(200);
          expect(seen[0]?.security).to.equal(earlier);
          expect(earlier.user).to.equal('alice');
          expect(`${earlier}`).to.equal('mine');
          expect(seen[0]?.security.sessionId).to.equal(SESSION);
          expect([...(seen[0]?.security.labels ?? [])]).to.deep.equal(['stored', 'early', LABEL]);
          expect(store.appends).to.deep.equal([['early', LABEL]]);
        });
      }

      it('G1: its labels hold the response of a handler that adds none', async () => {
        const store = new ScriptedStore({ append: rejecting() });
        await request(withEarlier({ labels: ['early'] }, store, ok))
          .get('/')
          .expect(403);
        expect(store.appends).to.deep.equal([['early']]);
      });

      it('G3: its violation stands, first one wins, and keeps the response when the append fails', async () => {
        const violation = { code: 'earlier', reason: 'denied before' };
        const store = new ScriptedStore({ append: rejecting() });
        const app = withEarlier({ violation }, store, addLabel, (_req, res) => void res.status(409).send('refused'));
        await request(app).get('/').expect(409, 'refused');
        expect(seen[0]?.security.violation).to.deep.equal(violation);
        expect(alarms.map((alarm) => 'decisionWasAllow' in alarm && alarm.decisionWasAllow)).to.deep.equal([false]);
        const other = new ScriptedStore({ append: rejecting() });
        const denying = withEarlier({ violation }, other, (req) => req.security.deny({ code: 'x', reason: 'y' }));
        const { body } = await request(denying).get('/').expect(403);
        expect(body.code).to.equal('earlier');
      });

      it('G2: its violation makes no denial of a response that is none', async () => {
        const violation = { code: 'earlier', reason: 'denied before' };
        const app = withEarlier({ violation }, new ScriptedStore({ append: rejecting() }), addLabel, ok);
        const { body } = await request(app).get('/').expect(403);
        expect(body.code).to.equal('earlier');
      });

      for (const [what, earlier] of [
        ['a string', 'secret'],
        ['a function', Object.assign(() => {}, { labels: ['PII'] })],
        ['a frozen object', Object.freeze({ labels: ['PII'] })],
      ] as const) {
        it(`${what} cannot be extended: 500 with middleware.conflict, no handler`, async () => {
          const app = withEarlier(earlier, new ScriptedStore(), ok).use(answerError);
          expect((await request(app).get('/').expect(500)).text).to.contain('middleware.conflict');
        });
      }

      it('labels that are a string are no labels: 500 with label.invalid, no handler', async () => {
        const app = withEarlier({ labels: 'secret' }, new ScriptedStore(), ok).use(answerError);
        expect((await request(app).get('/').expect(500)).text).to.contain('label.invalid');
      });

      it('its labels are checked: 500 with label.invalid, no handler', async () => {
        const app = withEarlier({ labels: ['ok', ''] }, new ScriptedStore(), ok).use(answerError);
        const { text } = await request(app).get('/').expect(500);
        expect(text).to.contain('label.invalid');
      });

      it('a handler that replaces req.security escapes nothing', async () => {
        const store = new ScriptedStore({ append: rejecting() });
        const app = appOf(middlewareWith({ store }), addLabel, (req, res) => {
          req.security = { labels: new Set() } as unknown as RequestSecurity;
          res.send('stolen');
        });
        await request(app).get('/').expect(403);
      });
    });

    describe('labels', () => {
      it('G5: delete and clear throw label.immutable, the label is persisted all the same', async () => {
        const store = new ScriptedStore({ load: async () => ['stored'] });
        const app = appOf(middlewareWith({ store }), addLabel, (req, res) => {
          const { labels } = req.security;
          for (const call of [() => labels.delete('stored'), () => labels.delete(LABEL), () => labels.clear()]) {
            expect(thrownBy(call)).to.have.property('code', 'label.immutable');
          }
          res.json([...labels]);
        });
        await request(app).get('/').expect(200, ['stored', LABEL]);
        expect(store.appends).to.deep.equal([[LABEL]]);
      });

      for (const [what, value] of [
        ['an empty string', ''],
        ['a number', 5],
        ['undefined', undefined],
        ['a control character', 'a\nb'],
        ['U+FFFD', 'a\ufffd'],
        ['257 bytes', 'x'.repeat(257)],
      ] as const) {
        it(`${what} is label.invalid at add, and Express answers 500`, async () => {
          const store = new ScriptedStore();
          const app = appOf(middlewareWith({ store }), (req, res) => {
            req.security.labels.add(value as string);
            res.send('not reached');
          }).use(answerError);
          const { text } = await request(app).get('/').expect(500);
          expect(text).to.contain('label.invalid');
          expect(store.appends).to.deep.equal([]);
        });
      }

      it('G5: a label that the store has is not appended again', async () => {
        const store = new ScriptedStore({ load: async () => [LABEL] });
        await request(appOf(middlewareWith({ store }), addLabel, ok))
          .get('/')
          .expect(200);
        expect(store.appends).to.deep.equal([]);
      });

      it('G4: the next request of the session sees the labels, another session does not', async () => {
        const store = new MemorySessionStore();
        const app = appOf(middlewareWith({ store, session: (req) => req.get('x-session') }), (req, res) => {
          const before = [...req.security.labels];
          if (req.path === '/taint') req.security.labels.add(LABEL);
          res.json(before);
        });
        await request(app).get('/taint').set('x-session', 'a').expect(200, []);
        await request(app).get('/look').set('x-session', 'a').expect(200, [LABEL]);
        await request(app).get('/look').set('x-session', 'b').expect(200, []);
      });

      it('labels added while an append is under way get an append of their own, and hold too', async () => {
        const store = new HeldStore();
        const server = await listen(
          appOf(middlewareWith({ store, storeTimeoutMs: 60_000 }), addLabel, async (req, res) => {
            res.write('one');
            await store.appendCalled;
            req.security.labels.add('second-label');
            res.end('two');
            store.release();
          }),
        );
        const wire = new Wire(server.port);
        wire.send(get('/', { Connection: 'close' }));
        expect(await wire.closed()).to.match(/one\r\n3\r\ntwo/);
        expect(store.appends).to.deep.equal([[LABEL], ['second-label']]);
      });
    });

    describe('persist()', () => {
      it('write-ahead: resolves when the store has the labels, and the response is not held again', async () => {
        const store = new HeldStore();
        const steps: string[] = [];
        const app = appOf(middlewareWith({ store, storeTimeoutMs: 60_000 }), addLabel, async (req, res) => {
          const persisted = req.security.persist().then(() => steps.push('persisted'));
          await store.appendCalled;
          steps.push('called');
          store.release();
          await persisted;
          steps.push(...(await store.loadLabels(SESSION)));
          res.send('done');
        });
        await request(app).get('/').expect(200, 'done');
        expect(steps).to.deep.equal(['called', 'persisted', LABEL]);
        expect(store.appends).to.deep.equal([[LABEL]]);
      });

      it('with nothing new resolves without the store', async () => {
        const store = new ScriptedStore({ append: rejecting() });
        const app = appOf(middlewareWith({ store }), (req, res, next) => {
          req.security.persist().then(() => res.send('ok'), next);
        });
        await request(app).get('/').expect(200, 'ok');
        expect(store.appends).to.deep.equal([]);
      });

      it('two at once share one append', async () => {
        const store = new ScriptedStore();
        const app = appOf(middlewareWith({ store }), addLabel, (req, res, next) => {
          Promise.all([req.security.persist(), req.security.persist()]).then(() => res.send('ok'), next);
        });
        await request(app).get('/').expect(200);
        expect(store.appends).to.deep.equal([[LABEL]]);
      });

      it('G2: rejects with session.persist_failed; a handler that swallows that sends a denial all the same', async () => {
        const store = new ScriptedStore({ append: rejecting('store failed') });
        let error: unknown;
        const app = appOf(middlewareWith({ store }), addLabel, async (req, res) => {
          error = await rejectionOf(req.security.persist());
          res.cookie('stolen', '1').send('stolen');
        });
        const { body, headers } = await request(app).get('/').expect(403);
        expect(body.code).to.equal('session.persist_failed');
        expect(headers).to.not.have.property('set-cookie');
        expect(error).to.have.property('code', 'session.persist_failed');
        expect((error as Error).cause).to.have.property('message', 'store failed');
        expect(store.appends).to.have.length(1);
        expect(alarms).to.have.length(1);
      });

      it('G3: after a rejection a 401 of the handler leaves as it is', async () => {
        const store = new ScriptedStore({ append: rejecting() });
        const app = appOf(middlewareWith({ store }), addLabel, async (req, res) => {
          await rejectionOf(req.security.persist());
          res.status(401).send('log in');
        });
        await request(app).get('/').expect(401, 'log in');
      });

      it('a later success lets the response go', async () => {
        let calls = 0;
        const store = new ScriptedStore({ append: () => (calls++ === 0 ? rejecting()() : Promise.resolve()) });
        const app = appOf(middlewareWith({ store }), addLabel, async (req, res) => {
          await rejectionOf(req.security.persist());
          req.security.labels.add('second-label');
          await req.security.persist();
          res.send('let go');
        });
        await request(app).get('/').expect(200, 'let go');
        expect(store.appends).to.deep.equal([[LABEL], [LABEL, 'second-label']]);
        expect(alarms).to.have.length(1);
      });
    });

    describe('nothing is lost quietly (G7)', () => {
      it('G7: a label added after the response has ended is persisted', async () => {
        const store = new ScriptedStore();
        const closed = deferred<void>();
        const app = appOf(middlewareWith({ store }), (req, res) => {
          res.once('close', () => {
            setImmediate(() => {
              req.security.labels.add(LABEL);
              closed.resolve();
            });
          });
          res.send('ok');
        });
        await request(app).get('/').expect(200, 'ok');
        await closed.promise;
        await eventually(() => expect(store.appends).to.deep.equal([[LABEL]]));
      });

      it('G7: one added between end() and close too', async () => {
        const store = new ScriptedStore();
        const app = appOf(middlewareWith({ store }), (req, res) => {
          res.send('ok');
          req.security.labels.add(LABEL);
        });
        await request(app).get('/').expect(200, 'ok');
        await eventually(() => expect(store.appends).to.deep.equal([[LABEL]]));
      });

      it('G7: one that cannot be persisted after the response is an alarm', async () => {
        const store = new ScriptedStore({ append: rejecting() });
        const app = appOf(middlewareWith({ store }), (req, res) => {
          res.once('close', () => setImmediate(() => req.security.labels.add(LABEL)));
          res.send('ok');
        });
        await request(app).get('/').expect(200, 'ok');
        await eventually(() => expect(alarms).to.have.length(1));
        expect(alarms[0]).to.include({ alarm: 'session_store_failure', op: 'append' });
      });

      for (const [what, store, expectedAlarms] of [
        ['persisted', () => new ScriptedStore(), 0],
        ['alarmed if that fails', () => new ScriptedStore({ append: rejecting() }), 1],
      ] as const) {
        it(`G7, P60: a handler that never answers, and a client that gives up: ${what}`, async () => {
          const scripted = store();
          const reached = deferred<void>();
          const app = appOf(middlewareWith({ store: scripted }), addLabel, () => reached.resolve());
          const wire = new Wire((await listen(app)).port);
          wire.send(get('/'));
          await reached.promise;
          wire.destroy();
          await eventually(() => expect(scripted.appends).to.deep.equal([[LABEL]]));
          await eventually(() => expect(alarms).to.have.length(expectedAlarms));
        });
      }

      it('G7, P56: a client that gives up during the load: the handler runs as in plain Express, its label is kept', async () => {
        const loading = deferred<string[]>();
        const loadCalled = deferred<void>();
        const store = new ScriptedStore({
          load() {
            loadCalled.resolve();
            return loading.promise;
          },
        });
        const server = await listen(appOf(middlewareWith({ store, storeTimeoutMs: 60_000 }), addLabel, ok));
        const connected = once(server.server, 'connection');
        const wire = new Wire(server.port);
        const [socket] = await connected;
        wire.send(get('/'));
        await loadCalled.promise;
        wire.destroy();
        await once(socket, 'close');
        loading.resolve([]);
        await eventually(() => expect(store.appends).to.deep.equal([[LABEL]]));
        expect(alarms).to.deep.equal([]);
      });
    });

    it('P52: what an earlier middleware has answered while the load was pending stays', async () => {
      const loading = deferred<string[]>();
      const loadCalled = deferred<void>();
      const store = new ScriptedStore({
        load: () => {
          loadCalled.resolve();
          return loading.promise;
        },
      });
      const timeOut: RequestHandler = (_req, res, next) => {
        next();
        res.once('finish', () => loading.reject(new Error('too late')));
        void loadCalled.promise.then(() => res.status(503).send('timed out'));
      };
      const errors: unknown[] = [];
      const app = appOf(timeOut, middlewareWith({ store, storeTimeoutMs: 60_000 }), ok).use(
        (error: unknown, _req: Request, _res: unknown, _next: unknown) => void errors.push(error),
      );
      await request(app).get('/').expect(503, 'timed out');
      await eventually(() => expect(alarms).to.have.length(1));
      expect(errors).to.deep.equal([]);
    });

    it('P33: headers of a body, and caching, that were set before the middleware do not describe the denial', async () => {
      const early: RequestHandler = (_req, res, next) => {
        res.set({ 'Content-Type': 'text/html', ETag: '"early"', 'Cache-Control': 'public, max-age=60', Expires: 'x' });
        next();
      };
      for (const store of [new ScriptedStore({ load: rejecting() }), new ScriptedStore({ append: rejecting() })]) {
        const { headers } = await request(appOf(early, middlewareWith({ store }), addLabel, ok))
          .get('/')
          .expect(403);
        expect(headers).to.include({
          'content-type': 'application/problem+json; charset=utf-8',
          'cache-control': 'no-store',
        });
        expect(headers).to.not.have.any.keys('etag', 'expires');
      }
    });

    describe('alarms', () => {
      it('hold no label, session id or credential, even if the error of the store does', async () => {
        const message = `HSET ${SESSION} ${LABEL} ${LABEL}-longer at redis://user:hunter2@host:6379/0`;
        for (const op of ['load', 'append'] as const) {
          const logged: unknown[][] = [];
          const store = new ScriptedStore({ [op]: rejecting(message) });
          const logger = { warn() {}, error: (...args: unknown[]) => void logged.push(args) };
          const app = appOf(
            middlewareWith({ store, logger }),
            (req, _res, next) => {
              for (const label of [LABEL, `${LABEL}-longer`]) req.security.labels.add(label);
              next();
            },
            ok,
          );
          const { text } = await request(app).get(`/items?key=${SESSION}`).expect(403);
          expect(alarms.at(-1)).to.include({ op });
          const all = JSON.stringify([alarms.at(-1), logged]) + text;
          expect(all).to.not.contain(SESSION);
          expect(all).to.not.contain('hunter2');
          expect(all).to.contain('redis://***');
          // a store that loads knows no label
          if (op === 'append') expect(all).to.not.contain(LABEL).and.to.not.contain('-longer');
        }
      });

      it('G7: nor a label that the session had before', async () => {
        const store = new ScriptedStore({ load: async () => ['stored-label'], append: rejecting('has stored-label') });
        await request(appOf(middlewareWith({ store }), addLabel, ok))
          .get('/')
          .expect(403);
        expect(JSON.stringify(alarms)).to.not.contain('stored-label');
      });

      it('the same frozen object goes to the logger, with a message, and to onAlarm', async () => {
        const logged: unknown[][] = [];
        const logger = { warn() {}, error: (...args: unknown[]) => void logged.push(args) };
        const store = new ScriptedStore({ load: rejecting() });
        await request(appOf(middlewareWith({ store, logger }), ok))
          .get('/')
          .expect(403);
        expect(logged).to.have.length(1);
        expect(logged[0]?.[0]).to.equal('session label load failed; failing request closed');
        expect(logged[0]?.[1]).to.equal(alarms[0]);
        expect(Object.isFrozen(alarms[0])).to.equal(true);
      });

      const bad: ReadonlyArray<readonly [what: string, behaviour: () => unknown]> = [
        ['throws', () => thrower('listener threw')],
        ['rejects', () => Promise.reject(new Error('listener rejected'))],
      ];
      for (const [what, behaviour] of bad) {
        for (const who of ['logger', 'onAlarm'] as const) {
          for (const op of ['load', 'append'] as const) {
            it(`G2: ${who} ${what} on a failed ${op}: the denial is the same, the other one still hears`, async () => {
              let heard = 0;
              const good = (): void => void heard++;
              const store = new ScriptedStore({ [op]: rejecting() });
              const app = appOf(
                middlewareWith({
                  store,
                  logger: { warn: good, error: who === 'logger' ? behaviour : good },
                  onAlarm: (who === 'onAlarm' ? behaviour : good) as () => void,
                }),
                addLabel,
                ok,
              );
              const { body } = await request(app).get('/').expect(403);
              expect(body.code).to.equal(op === 'load' ? 'session.load_failed' : 'session.persist_failed');
              expect(heard).to.equal(1);
            });
          }
        }
      }

      const odd: ReadonlyArray<readonly [what: string, error: unknown]> = [
        ['an object without a prototype', Object.create(null)],
        ['a symbol', Symbol('odd')],
        ['an error whose message is no string', Object.assign(new Error('x'), { message: 5 })],
        [
          'an error whose message throws',
          Object.defineProperty(new Error('x'), 'message', { get: () => thrower('message threw') }),
        ],
      ];
      for (const [what, error] of odd) {
        for (const op of ['load', 'append'] as const) {
          it(`G2, G7, P54: a ${op} that rejects with ${what} is a denial and an alarm like any other`, async () => {
            const store = new ScriptedStore({ [op]: () => Promise.reject(error) });
            const { body } = await request(appOf(middlewareWith({ store }), addLabel, ok)).get('/');
            expect(body.code).to.equal(op === 'load' ? 'session.load_failed' : 'session.persist_failed');
            expect(alarms).to.have.length(1);
          });
        }
      }
    });

    describe('close()', () => {
      it('waits for appends under way', async () => {
        const store = new HeldStore();
        const middleware = middlewareWith({ store, storeTimeoutMs: 60_000 });
        const server = await listen(appOf(middleware, addLabel, ok));
        const wire = new Wire(server.port);
        wire.send(get('/', { Connection: 'close' }));
        await store.appendCalled;
        let closed = false;
        const closing = middleware.close().then(() => {
          closed = true;
        });
        await new Promise((resolve) => setImmediate(resolve));
        expect(closed).to.equal(false);
        store.release();
        await closing;
        expect(await store.loadLabels(SESSION), 'a store of the caller stays open').to.deep.equal([LABEL]);
        expect(await wire.closed()).to.match(/ok$/);
      });

      it('waits for appends that fail, and does not reject for them', async () => {
        const store = new HeldStore();
        const middleware = middlewareWith({ store, storeTimeoutMs: 60_000 });
        const wire = new Wire((await listen(appOf(middleware, addLabel, ok))).port);
        wire.send(get('/', { Connection: 'close' }));
        await store.appendCalled;
        const closing = middleware.close();
        store.fail(new Error('failed late'));
        await closing;
        expect(await wire.closed()).to.match(/session\.persist_failed/);
      });

      it('closes a store that was built here, and only once it has no append any more', async () => {
        const steps: string[] = [];
        const appending = deferred<void>();
        const called = deferred<void>();
        const build = (): SessionStore => ({
          loadLabels: async () => [],
          async appendLabels() {
            called.resolve();
            await appending.promise;
            steps.push('appended');
          },
          async close() {
            steps.push('closed');
          },
        });
        const middleware = middlewareWith({
          store: { kind: 'mine' },
          storeFactories: [{ kind: 'mine', build }],
          storeTimeoutMs: 60_000,
        });
        const wire = new Wire((await listen(appOf(middleware, addLabel, ok))).port);
        wire.send(get('/', { Connection: 'close' }));
        await called.promise;
        const closing = middleware.close();
        appending.resolve();
        await closing;
        expect(steps).to.deep.equal(['appended', 'closed']);
        await wire.closed();
      });

      it('after it, the default store answers nothing any more: 403 session.load_failed', async () => {
        const middleware = middlewareWith();
        const app = appOf(middleware, ok);
        await request(app).get('/').expect(200);
        await middleware.close();
        const { body } = await request(app).get('/').expect(403);
        expect(body.code).to.equal('session.load_failed');
        expect(alarms[0]).to.include({ code: 'store.closed' });
      });
    });
  });
}

describe('aplSessionMiddleware, options', () => {
  const session = (): string => SESSION;
  const factory = { kind: 'mine', build: () => new MemorySessionStore() };
  const storeWithDeadline = (deadlineMs: number): object => Object.assign(new MemorySessionStore(), { deadlineMs });
  const refused: ReadonlyArray<readonly [what: string, options: unknown, names: string, code?: string]> = [
    ['no options', undefined, 'options'],
    ['null', null, 'options'],
    ['a string', 'valkey', 'options'],
    ['no session', {}, "'session'"],
    ['a session that is no function', { session: 'id' }, "'session'"],
    ['an unknown key', { session, sotre: {} }, "'sotre'"],
    ['a timeout that is no number', { session, storeTimeoutMs: '5' }, "'storeTimeoutMs'"],
    ['a timeout of 0', { session, storeTimeoutMs: 0 }, "'storeTimeoutMs'"],
    ['a timeout that is no integer', { session, storeTimeoutMs: 1.5 }, "'storeTimeoutMs'"],
    ['a timeout that setTimeout cannot do', { session, storeTimeoutMs: 2 ** 31 }, "'storeTimeoutMs'"],
    ['an endless timeout', { session, storeTimeoutMs: Number.POSITIVE_INFINITY }, "'storeTimeoutMs'"],
    ['a listener that is no function', { session, onAlarm: {} }, "'onAlarm'"],
    ['a logger without error', { session, logger: { warn() {} } }, "'logger'"],
    ['a logger without warn', { session, logger: { error() {} } }, "'logger'"],
    ['null for a logger', { session, logger: null }, "'logger'"],
    ['factories that are no array', { session, storeFactories: factory }, "'storeFactories'"],
    ['a factory without build', { session, storeFactories: [{ kind: 'mine' }] }, 'build'],
    ['a factory without kind', { session, storeFactories: [{ build() {} }] }, 'kind'],
    ['two factories of one kind', { session, storeFactories: [factory, { ...factory }] }, 'storeFactories'],
    ['null for a store', { session, store: null }, 'store'],
    ['a store without appendLabels', { session, store: { loadLabels() {} } }, 'kind', 'config.store_kind_missing'],
    ['a kind that no factory has', { session, store: { kind: 'nope' } }, 'nope', 'config.store_kind_unknown'],
    ['a deadline of the store that no timer can take', { session, store: storeWithDeadline(Number.NaN) }, 'deadlineMs'],
    ['an endless deadline of the store', { session, store: storeWithDeadline(2 ** 31) }, 'deadlineMs'],
    ['no label at all', { session, maxLabelsPerSession: 0 }, "'maxLabelsPerSession'"],
    ['labels that are no integer', { session, maxLabelsPerSession: 1.5 }, "'maxLabelsPerSession'"],
    [
      'a senseless limit of the store',
      { session, store: Object.assign(new ScriptedStore(), { maxLabelsPerSession: 0 }) },
      'maxLabelsPerSession',
    ],
    ['an unknown key in the block', { session, store: { kind: 'memory', ttl: 5 } }, 'ttl'],
  ];
  for (const [what, options, names, code = 'config.invalid'] of refused) {
    it(`${what}: ${code}, and the message names it`, () => {
      const error = thrownBy(() => aplSessionMiddleware(options as AplSessionOptions)) as Error;
      expect(error).to.have.property('code', code);
      expect(error.message).to.contain(names);
    });
  }

  it('every fault is named at once, and no value is repeated', () => {
    const options = { session: 'hunter2', storeTimeoutMs: 'hunter2', sotre: 'hunter2' };
    const error = thrownBy(() => aplSessionMiddleware(options as unknown as AplSessionOptions)) as Error;
    expect(error.message).to.contain("'session'").and.to.contain("'storeTimeoutMs'").and.to.contain("'sotre'");
    expect(error.message).to.not.contain('hunter2');
  });

  it('the options object is neither changed nor frozen, nor are the members', () => {
    const store = new MemorySessionStore();
    const logger = { warn() {}, error() {} };
    const options = { session, store, logger, storeFactories: [factory] };
    aplSessionMiddleware(options);
    expect(options).to.deep.equal({ session, store, logger, storeFactories: [factory] });
    for (const member of [options, store, logger, options.storeFactories]) {
      expect(Object.isFrozen(member)).to.equal(false);
    }
  });

  it('a factory keeps its identity: one that is an instance with private members works', () => {
    class PrivateFactory {
      readonly kind = 'private';
      readonly #store = new MemorySessionStore();
      build(): SessionStore {
        return this.#store;
      }
    }
    aplSessionMiddleware({ session, store: { kind: 'private' }, storeFactories: [new PrivateFactory()] });
  });

  it('a factory of kind memory replaces the built-in one', async () => {
    const store = new ScriptedStore();
    const middleware = aplSessionMiddleware({
      session,
      store: { kind: 'memory' },
      storeFactories: [{ kind: 'memory', build: () => store }],
    });
    for (const [, express] of EXPRESS_VERSIONS) await request(express().use(middleware, ok)).get('/').expect(200);
    expect(store.loads).to.have.length(2);
  });

  it('the default deadline is the store’s own and 50 ms more', async () => {
    const store = Object.assign(new ScriptedStore({ load: () => new Promise(() => {}) }), { deadlineMs: 1 });
    const alarms: Alarm[] = [];
    const middleware = aplSessionMiddleware({
      session,
      store,
      logger: { warn() {}, error() {} },
      onAlarm: (alarm) => void alarms.push(alarm),
    });
    for (const [, express] of EXPRESS_VERSIONS) await request(express().use(middleware, ok)).get('/').expect(403);
    expect(alarms[0]).to.have.property('error').that.contains('51 ms');
  });

  it('alarms that only the store can see take the same way', () => {
    let listener: ((alarm: Alarm) => void) | undefined;
    const store = Object.assign(new ScriptedStore(), {
      onAlarm: (given: (alarm: Alarm) => void) => {
        listener = given;
      },
    });
    const warned: unknown[] = [];
    const heard: Alarm[] = [];
    aplSessionMiddleware({
      session,
      store,
      logger: { warn: (_message, fields) => void warned.push(fields), error() {} },
      onAlarm: (alarm) => void heard.push(alarm),
    });
    const alarm: Alarm = { alarm: 'session_store_ttl_refresh_failed', error: 'EXPIRE failed' };
    listener?.(alarm);
    expect(warned).to.deep.equal([alarm]);
    expect(heard[0]).to.equal(warned[0]);
  });

  it('the default logger writes one JSON line to standard error', async function () {
    this.timeout(20_000);
    const { code, stdout, stderr } = await runModule(
      `
      import express from 'express';
      import { aplSessionMiddleware } from './lib/index.ts';
      const store = { loadLabels: async () => { throw new Error('no store'); }, appendLabels: async () => {} };
      const app = express().use(aplSessionMiddleware({ session: () => 's1', store }));
      const server = app.listen(0, '127.0.0.1', async () => {
        const { status } = await fetch('http://127.0.0.1:' + server.address().port + '/users/42');
        console.log(status);
        server.closeAllConnections();
        server.close();
      });
      `,
      { NODE_NO_WARNINGS: '1' },
    );
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: '403\n' });
    expect(stderr).to.match(/^\{.*\}\n$/);
    const { timestamp, ...line } = JSON.parse(stderr) as Record<string, unknown>;
    expect(timestamp).to.match(/^\d{4}-\d\d-\d\dT/);
    expect(line).to.deep.equal({
      level: 'error',
      message: 'session label load failed; failing request closed',
      alarm: 'session_store_failure',
      op: 'load',
      route: 'GET *',
      error: 'no store',
    });
  });
});

function thrower(message: string): never {
  throw new Error(message);
}

/** Shows the code of an error, as an app's own error handler could. */
function answerError(
  error: Error & { code?: string },
  _req: unknown,
  res: Parameters<RequestHandler>[1],
  _next: unknown,
): void {
  res.status(500).send(`${error.code} ${error.message}`);
}
