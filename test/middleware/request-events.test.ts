import { AsyncLocalStorage } from 'node:async_hooks';
import { type ChannelListener, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { expect } from 'chai';
import request from 'supertest';
import { VERSION } from '../../lib/contract/version.js';
import { AplSessionError, type AplSessionEvents, denyIf, openSession, taint } from '../../lib/index.js';
import { controllableStore } from '../../lib/testing.js';
import { eventually } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { HeldStore } from '../support/held-store.js';
import { addLabel, LABEL, labelAfterFirstByte, middlewareFixture, ok, SESSION } from '../support/middleware-fixture.js';

const NAMES = ['request', 'load', 'append', 'hold', 'denial', 'alarm', 'recovery'] as const;
const VIOLATION = { code: 'session_tainted', reason: 'touched secret data' };

interface Heard {
  readonly name: string;
  readonly event: Readonly<Record<string, unknown>>;
}

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`events of requests, ${version}`, () => {
    const { appOf, middlewareWith, listen, seen } = middlewareFixture(express);
    const heard: Heard[] = [];
    const listener: ChannelListener = (message, channel) => {
      heard.push({ name: String(channel).replace('express-apl-session:', ''), event: { ...(message as object) } });
    };
    const channels = (): readonly (keyof AplSessionEvents)[] =>
      NAMES.map((name) => `express-apl-session:${name}` as const);
    let store: ReturnType<typeof controllableStore>;
    beforeEach(() => {
      heard.length = 0;
      store = controllableStore();
      for (const channel of channels()) subscribe(channel, listener);
    });
    afterEach(() => {
      for (const channel of channels()) unsubscribe(channel, listener);
    });
    /** The events without version, mount and durations, which are checked here. */
    const told = (): unknown[] =>
      heard.map(({ name, event: { version: ofPackage, mount, durationMs, response, ...rest } }) => {
        expect(ofPackage).to.equal(VERSION);
        expect(mount).to.match(/^([0-9a-f]{4}|openSession)$/);
        if (durationMs !== undefined) expect(durationMs).to.be.a('number').and.to.be.within(0, 5_000);
        if (name === 'hold') expect(response).to.be.frozen.and.to.have.property('bytes', 0);
        return { [name]: rest };
      });

    it('a clean request: its source, and its load', async () => {
      const session = () => ({ id: SESSION, source: 'header' });
      await request(appOf(middlewareWith({ store, session }), ok))
        .get('/')
        .expect(200);
      expect(told()).to.deep.equal([{ request: { method: 'GET', source: 'header' } }, { load: { outcome: 'loaded' } }]);
    });

    it('a request without a session has no source, and no load', async () => {
      await request(appOf(middlewareWith({ store, session: () => undefined }), ok))
        .post('/')
        .expect(200);
      expect(told()).to.deep.equal([{ request: { method: 'POST' } }]);
    });

    it('a label: the hold begins, the append, and the hold ends', async () => {
      const app = express();
      app.use(middlewareWith({ store }));
      app.get('/notes/:id', addLabel, ok);
      await request(app).get('/notes/5').expect(200);
      expect(told().slice(2)).to.deep.equal([
        { hold: { route: 'GET /notes/:id', outcome: 'held' } },
        { append: { outcome: 'appended' } },
        { hold: { route: 'GET /notes/:id', outcome: 'released' } },
      ]);
    });

    it('a hold that begins before Express has matched a route ends with the route', async () => {
      const held = new HeldStore();
      const app = express();
      app.use(middlewareWith({ store: held }), addLabel, (_req, res, next) => {
        res.write('first');
        // newer versions of Node give the output away at the end of the turn
        setImmediate(next);
      });
      const append = held.nextAppend();
      app.get('/notes/:id', (_req, res) => {
        res.end();
        void append.then((call) => call.succeed());
      });
      await request(app).get('/notes/5').expect(200);
      expect(told().filter((event) => 'hold' in (event as object))).to.deep.equal([
        { hold: { route: 'GET *', outcome: 'held' } },
        { hold: { route: 'GET /notes/:id', outcome: 'released' } },
      ]);
    });

    it('the response of a hold leads neither to its content nor to its request', async () => {
      await request(appOf(middlewareWith({ store }), addLabel, ok))
        .get('/')
        .expect(200);
      const [held, released] = heard.filter(({ name }) => name === 'hold').map(({ event }) => event['response']);
      expect(held).to.be.an('object').and.to.equal(released);
      expect(Reflect.ownKeys(held as object)).to.deep.equal([]);
      expect(inspect(held, { showHidden: true, depth: 9 }))
        .to.not.include(SESSION)
        .and.not.include('output');
    });

    it('a subscriber that keeps the response of a hold keeps no request in memory', async () => {
      const { gc } = globalThis as { gc?: () => void };
      if (!gc) throw new Error('run with --expose-gc, as .mocharc.json does');
      const requests: Array<WeakRef<object>> = [];
      const app = appOf(middlewareWith({ store, session: () => `${SESSION}-${requests.length}` }));
      app.get('/', addLabel, (req, res) => {
        requests.push(new WeakRef(req));
        res.send('ok');
      });
      for (let n = 0; n < 20; n++) await request(app).get('/').expect(200);
      expect(heard.filter(({ event }) => event['outcome'] === 'released')).to.have.length(20);
      seen.length = 0;
      // the last ones may still be held by sockets that are being closed
      await eventually(() => {
        gc();
        expect(requests.filter((ref) => ref.deref() !== undefined).length).to.be.below(5);
      });
    });

    it('a guard that denies: one denial with route and code', async () => {
      await store.appendLabels(SESSION, [LABEL]);
      const app = express();
      app.use(middlewareWith({ store }));
      app.post('/mail', denyIf(LABEL, VIOLATION), ok);
      const { body } = await request(app).post('/mail').expect(403);
      const { instance } = body;
      expect(told().slice(2)).to.deep.equal([
        { denial: { route: 'POST /mail', code: 'session_tainted', cut: false, instance } },
        { hold: { route: 'POST /mail', outcome: 'held' } },
        { hold: { route: 'POST /mail', outcome: 'refused' } },
      ]);
    });

    it('a load that fails: with its code, then the alarm and the denial', async () => {
      store.fail('load', new AplSessionError('store.timeout', 'too late'));
      const { body } = await request(appOf(middlewareWith({ store }), ok))
        .get('/')
        .expect(403);
      const { instance } = body;
      const alarm = {
        alarm: 'session_store_failure',
        op: 'load',
        route: 'GET *',
        error: 'too late',
        code: 'store.timeout',
        instance,
      };
      expect(told().slice(1, 4)).to.deep.equal([
        { load: { outcome: 'failed', code: 'store.timeout' } },
        { alarm: { alarm } },
        { denial: { route: 'GET *', code: 'session.load_failed', cut: false, instance } },
      ]);
    });

    it('an append that fails, before and after the first byte', async () => {
      store.fail('append');
      await request(appOf(middlewareWith({ store }), addLabel, ok))
        .get('/')
        .expect(403);
      const denials = (): unknown[] =>
        heard
          .filter(({ name }) => name === 'denial')
          .map(({ event }) => [event['code'], event['cut'], 'instance' in event]);
      expect(denials()).to.deep.equal([['session.persist_failed', false, true]]);
      heard.length = 0;
      store = controllableStore();
      store.fail('append');
      const server = await listen(appOf(middlewareWith({ store }), labelAfterFirstByte));
      await request(`http://127.0.0.1:${server.port}`)
        .get('/')
        .catch(() => {});
      await eventually(() => expect(denials()).to.deep.equal([['session.persist_failed', true, false]]));
      expect(heard.filter(({ name }) => name === 'hold').map(({ event }) => event['outcome'])).to.deep.equal([
        'held',
        'cut',
      ]);
    });

    it('loads and ends of holds are in the context of their own request, also with one append', async () => {
      const context = new AsyncLocalStorage<string>();
      const contexts: string[] = [];
      const note: ChannelListener = (message, channel) => {
        const { outcome } = message as { outcome: string };
        contexts.push(`${String(channel).replace(/.*:/, '')} ${outcome} ${context.getStore()}`);
      };
      const held = new HeldStore();
      const app = express();
      app.use((req, _res, next) => context.run(req.url, next));
      app.use(middlewareWith({ store: held }));
      app.get('/1', addLabel, ok);
      app.get('/2', ok);
      const { port } = await listen(app);
      subscribe('express-apl-session:load', note);
      subscribe('express-apl-session:hold', note);
      const ask = (path: string) => request(`http://127.0.0.1:${port}`).get(path).expect(200).then();
      const answers = [];
      for (const path of ['/1', '/2']) {
        answers.push(ask(path));
        await eventually(() => expect(contexts).to.include(`hold held ${path}`));
      }
      held.release();
      await Promise.all(answers);
      unsubscribe('express-apl-session:load', note);
      unsubscribe('express-apl-session:hold', note);
      expect(held.appends).to.have.length(1);
      expect(contexts).to.have.members(
        ['/1', '/2'].flatMap((path) => [`load loaded ${path}`, `hold held ${path}`, `hold released ${path}`]),
      );
    });

    it('a recovery is an event of its own channel', async () => {
      const middleware = middlewareWith({ store });
      store.fail('load');
      await request(appOf(middleware, ok)).get('/').expect(403);
      store.restore();
      await request(appOf(middleware, ok)).get('/').expect(200);
      await middleware.close();
      const [{ event } = { event: {} as Heard['event'] }] = heard.filter(({ name }) => name === 'recovery');
      expect(event['alarm']).to.include({ alarm: 'session_store_recovered', op: 'load', failures: 1 });
      expect(heard.filter(({ name }) => name === 'alarm')).to.have.length(1);
    });

    it('an open session: load and append', async () => {
      const session = await openSession({ session: SESSION, store, logger: { warn() {}, error() {} } });
      session.labels.add(LABEL);
      await session.close();
      expect(told()).to.deep.equal([{ load: { outcome: 'loaded' } }, { append: { outcome: 'appended' } }]);
      expect(heard.map(({ event }) => event['mount'])).to.deep.equal(['openSession', 'openSession']);
    });

    it('no event holds a label, the id of a session or a credential', async () => {
      await store.appendLabels(SESSION, ['stored-label']);
      const session = () => ({ id: SESSION, source: `from ${SESSION}` });
      const message = `${SESSION} ${LABEL} stored-label redis://user:hunter2@host:6379`;
      const app = express();
      app.use(middlewareWith({ store, session }));
      app.get('/', addLabel, denyIf(LABEL, { code: `code-${SESSION}`, reason: 'x' }), ok);
      app.post('/', taint(LABEL), ok);
      store.fail('append', new Error(message));
      await request(app).get('/').expect(403);
      await request(app).post('/').expect(403);
      // an error of a load may name any label, because none is known yet
      store.fail('load', new Error(`${SESSION} redis://user:hunter2@host:6379`));
      await request(app).get('/').expect(403);
      const shown = JSON.stringify(heard);
      expect(heard.length).to.be.greaterThan(10);
      for (const secret of [SESSION, LABEL, 'stored-label', 'hunter2']) expect(shown, secret).to.not.include(secret);
    });
  });
}
