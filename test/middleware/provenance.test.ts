import { expect } from 'chai';
import { Router } from 'express';
import request from 'supertest';
import { type LabelOrigin, MemorySessionStore, openSession, type SessionStore, taint } from '../../lib/index.js';
import { eventually, thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { HeldStore } from '../support/held-store.js';
import { addLabel, LABEL, middlewareFixture, ok, SESSION } from '../support/middleware-fixture.js';

const explaining = (): MemorySessionStore => new MemorySessionStore({ provenance: { node: 'web-1' } });

/** Records what the middleware passes, and fails while `fails` is set. */
class NotingStore extends MemorySessionStore {
  fails = false;
  readonly origins: Array<ReadonlyMap<string, LabelOrigin> | undefined> = [];
  readonly counts: number[] = [];

  override async appendLabels(...args: Parameters<SessionStore['appendLabels']>): Promise<void> {
    this.origins.push(args[2]);
    this.counts.push(args.length);
    if (this.fails) throw new Error('down');
    await super.appendLabels(...args);
  }
}

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`provenance, ${version}`, () => {
    const { appOf, listen, middlewareWith } = middlewareFixture(express);

    it('a label of taint() has the route, the guard, the node and the request id', async () => {
      const store = explaining();
      const from = Date.now();
      const app = appOf(middlewareWith({ store, requestId: (req) => req.get('x-request-id') }));
      app.get('/salaries/:id', taint('a'), taint('b', { name: 'by id' }), ok);
      await request(app).get('/salaries/77').set('x-request-id', 'r-1').expect(200);
      const { labels } = await store.explain(SESSION);
      const common = { route: 'GET /salaries/:id', node: 'web-1', requestId: 'r-1' };
      expect(labels.map(({ firstAddedAt: _, ...others }) => others)).to.deep.equal([
        { label: 'a', by: 'taint', ...common },
        { label: 'b', by: 'by id', ...common },
      ]);
      for (const { firstAddedAt = '' } of labels) expect(Date.parse(firstAddedAt)).to.be.within(from, Date.now());
    });

    it('a label of a handler has its route, and no guard', async () => {
      const store = explaining();
      const app = appOf(middlewareWith({ store }));
      app.use('/notes/42', Router().get('/:id', addLabel, ok));
      await request(app).get('/notes/42/7').expect(200);
      const [label] = (await store.explain(SESSION)).labels;
      expect(label).to.have.all.keys('label', 'firstAddedAt', 'route', 'node');
      expect(label).to.include({ label: LABEL, route: 'GET /notes/:/:id' });
    });

    it('the record holds no session id, also if the path is one', async () => {
      const store = explaining();
      const app = appOf(middlewareWith({ store, session: () => 'chat' }));
      app.use('/chat', Router().get('/', addLabel, ok));
      await request(app).get('/chat').expect(200);
      expect((await store.explain('chat')).labels[0]).to.have.property('route', 'GET /***/');
    });

    it('the first request that adds a label counts, also for a shared append', async () => {
      const held = new HeldStore();
      const passed: Array<ReadonlyMap<string, LabelOrigin> | undefined> = [];
      const appendLabels: SessionStore['appendLabels'] = (id, labels, origins) => {
        passed.push(origins);
        return held.appendLabels(id, labels);
      };
      const store = { loadLabels: (id: string) => held.loadLabels(id), appendLabels, provenance: true };
      const app = appOf(middlewareWith({ store, storeTimeoutMs: 60_000 }));
      app.get('/:path', (req, res) => {
        req.security.labels.add('of all').add(`of ${req.params.path}`);
        res.send();
      });
      const { port } = await listen(app);
      const get = (path: string) => request(`http://127.0.0.1:${port}`).get(path).then();
      const first = get('/first');
      const append = await held.nextAppend();
      const others = [get('/second'), get('/third')];
      await eventually(() => expect(held.loads).to.have.length(3));
      append.succeed();
      held.release();
      await Promise.all([first, ...others]);
      const origins = new Map(passed.flatMap((map) => [...(map ?? [])]));
      expect([...origins.keys()].sort()).to.deep.equal(['of all', 'of first', 'of second', 'of third']);
      expect(passed.filter((map) => map?.has('of all'))).to.have.length(1);
      expect(passed[0]?.get('of all')?.route).to.equal('GET /:path');
    });

    it('a label whose append failed keeps its first origin', async () => {
      const store = new NotingStore({ provenance: true });
      const app = appOf(middlewareWith({ store }));
      app.get('/a', addLabel, ok);
      app.get('/b', ok);
      store.fails = true;
      await request(app).get('/a').expect(403);
      store.fails = false;
      await request(app).get('/b').expect(200);
      const [label] = (await store.explain(SESSION)).labels;
      expect(label).to.have.property('route', 'GET /a');
      expect(store.origins[1]?.get(LABEL)).to.equal(store.origins[0]?.get(LABEL));
    });

    it('a session that openSession() opened has its name as the route', async () => {
      const store = explaining();
      const session = await openSession({ session: SESSION, store, name: `jobs of ${SESSION}` });
      session.labels.add('a');
      await session.close();
      expect((await store.explain(SESSION)).labels[0]).to.include({ label: 'a', route: 'jobs of ***' });
    });

    it('a store that keeps no origins gets no origin, and no request makes one', async () => {
      const store = new NotingStore();
      const app = appOf(middlewareWith({ store }), (req, _res, next) => {
        // routeName() reads it for an origin
        Object.defineProperty(req, 'route', { get: () => expect.fail('an origin was made'), set() {} });
        next();
      });
      app.use(taint('a'), addLabel, (_req, res) => void res.end('ok'));
      await request(app).get('/').expect(200, 'ok');
      expect(store.counts).to.deep.equal([2, 2]);
      expect(await store.loadLabels(SESSION)).to.deep.equal(['a', LABEL]);
    });

    it('requestId without a store that keeps origins is config.invalid', () => {
      const error = thrownBy(() => middlewareWith({ requestId: () => 'r' }));
      expect(error).to.have.property('code', 'config.invalid');
      expect(error).to.have.property('message').that.includes('set provenance: true on the store');
    });

    it('G8: a request id that fails changes nothing', async () => {
      const store = explaining();
      const requestId = (): string => {
        throw new Error('no id');
      };
      await request(appOf(middlewareWith({ store, requestId }), addLabel, ok))
        .get('/')
        .expect(200, 'ok');
      expect((await store.explain(SESSION)).labels[0]).to.not.have.property('requestId');
    });
  });
}
