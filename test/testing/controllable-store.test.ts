import { expect } from 'chai';
import express from 'express';
import request from 'supertest';
import {
  type AplSessionOptions,
  aplSessionMiddleware,
  MemorySessionStore,
  openSession,
  type SessionStore,
  taint,
} from '../../lib/index.js';
import { controllableStore, type StoreOperation } from '../../lib/testing.js';
import { rejectionOf, thrownBy } from '../support/eventually.js';

function appWith(store: SessionStore, options: Partial<AplSessionOptions> = {}) {
  const app = express().set('env', 'test');
  app.use(aplSessionMiddleware({ session: () => 's', store, logger: { warn() {}, error() {} }, ...options }));
  app.get('/salary', taint('secret'), (_req, res) => void res.send('98000'));
  app.get('/clean', (_req, res) => void res.send('clean'));
  return app;
}

describe('controllableStore()', () => {
  it('works as its inner store, and records the calls', async () => {
    const inner = new MemorySessionStore();
    const store = controllableStore(inner);
    await store.appendLabels('s', ['a']);
    expect(await store.loadLabels('s')).to.deep.equal(['a']);
    expect(await inner.loadLabels('s')).to.deep.equal(['a']);
    expect(store.calls).to.deep.equal([
      { operation: 'append', sessionId: 's', labels: ['a'] },
      { operation: 'load', sessionId: 's', labels: [] },
    ]);
  });

  it('by default each has a memory store of its own', async () => {
    const [one, two] = [controllableStore(), controllableStore()];
    await one.appendLabels('s', ['a']);
    expect(await two.loadLabels('s')).to.deep.equal([]);
  });

  it('has the optional members of its inner store, and no others', () => {
    const inner = new MemorySessionStore({ ttlSeconds: 5, maxLabelsPerSession: 3 });
    expect(controllableStore(inner)).to.include({ ttlSeconds: 5, maxLabelsPerSession: 3 });
    expect(controllableStore(inner).check).to.equal(undefined);
    expect(controllableStore(inner).onAlarm).to.equal(undefined);
    expect(controllableStore(inner).onReconnect).to.equal(undefined);
    const full: SessionStore = {
      loadLabels: async () => [],
      appendLabels: async () => {},
      deadlineMs: 70,
      check: async () => [],
      onAlarm: () => {},
      onReconnect: () => {},
    };
    expect(controllableStore(full)).to.have.property('deadlineMs', 70);
    expect(controllableStore(full).check).to.be.a('function');
    expect(controllableStore(full).onAlarm).to.be.a('function');
    expect(controllableStore(full).onReconnect).to.be.a('function');
    expect(controllableStore(full, { deadlineMs: 20 })).to.have.property('deadlineMs', 20);
    return inner.close();
  });

  it('fail(): calls of this operation reject, and do not reach the inner store', async () => {
    const inner = new MemorySessionStore();
    const store = controllableStore(inner);
    store.fail('append');
    expect(await rejectionOf(store.appendLabels('s', ['a']))).to.have.property('code', 'store.unavailable');
    const own = new Error('disk full');
    store.fail('append', own);
    expect(await rejectionOf(store.appendLabels('s', ['a']))).to.equal(own);
    expect(await store.loadLabels('s')).to.deep.equal([]);
    store.restore('append');
    await store.appendLabels('s', ['a']);
    expect(await inner.loadLabels('s')).to.deep.equal(['a']);
  });

  it('hang(): calls are pending until restore(), and then work', async () => {
    const store = controllableStore();
    store.hang('load');
    const loaded = store.loadLabels('s');
    expect(await store.hanging('load')).to.deep.equal({ operation: 'load', sessionId: 's', labels: [] });
    await store.appendLabels('s', ['a']);
    store.restore();
    expect(await loaded).to.deep.equal(['a']);
  });

  it('hanging() resolves when a call hangs later', async () => {
    const store = controllableStore();
    store.hang('append');
    const hanging = store.hanging('append');
    const appended = store.appendLabels('s', ['a']);
    expect(await hanging).to.have.property('sessionId', 's');
    store.restore();
    await appended;
  });

  it('pending calls follow each change of the behaviour', async () => {
    const store = controllableStore();
    store.hang('append');
    const first = store.appendLabels('s', ['a']);
    await store.hanging('append');
    store.fail('append', new Error('down'));
    expect(await rejectionOf(first)).to.have.property('message', 'down');
    store.delay('append', 60_000);
    const second = store.appendLabels('s', ['b']);
    store.restore();
    await second;
    store.delay('append', 60_000);
    const third = store.appendLabels('s', ['c']);
    store.fail('append', new Error('down'));
    expect(await rejectionOf(third)).to.have.property('message', 'down');
    expect(await store.loadLabels('s')).to.deep.equal(['b']);
  });

  it('delay(): calls work, later', async () => {
    const store = controllableStore();
    store.delay('append', 30);
    const start = performance.now();
    await store.appendLabels('s', ['a']);
    // a timer of Node may be 1 ms early
    expect(performance.now() - start).to.be.greaterThan(28);
    expect(await store.loadLabels('s')).to.deep.equal(['a']);
  });

  it('ready() behaves like a load, also if the inner store needs no connection', async () => {
    let connected = 0;
    const connecting = Object.assign(new MemorySessionStore(), {
      ready: async () => {
        connected += 1;
      },
    });
    for (const store of [controllableStore(), controllableStore(connecting)]) {
      const aplSession = aplSessionMiddleware({ session: () => 's', store, logger: { warn() {}, error() {} } });
      store.fail('load');
      expect(await rejectionOf(aplSession.ready())).to.have.property('code', 'store.unavailable');
      expect(connected).to.equal(0);
      store.restore();
      await aplSession.ready();
    }
    expect(connected).to.equal(1);
  });

  it('close() ends what hangs, and closes the inner store', async () => {
    const store = controllableStore();
    store.hang('load');
    const loading = rejectionOf(store.loadLabels('s'));
    await store.close();
    expect(await loading).to.have.property('code', 'store.closed');
  });

  it('refuses other operations, times, options, and what is not a store', () => {
    const store = controllableStore();
    const wrong = [
      () => store.fail('apend' as StoreOperation),
      () => store.hang('toString' as StoreOperation),
      () => store.restore('loads' as StoreOperation),
      () => store.delay('load', '50' as never),
      () => controllableStore({ kind: 'memory' } as never),
      () => controllableStore(new MemorySessionStore(), { deadlineMs: 0 }),
    ];
    for (const call of wrong) expect(thrownBy(call)).to.have.property('code', 'config.invalid');
  });

  describe('in an app', () => {
    it('a failed load and a failed append are 403, and after restore() the app works', async () => {
      const store = controllableStore();
      const app = appWith(store);
      store.fail('load');
      await request(app)
        .get('/clean')
        .expect(403)
        .expect(/session\.load_failed/);
      store.restore();
      store.fail('append');
      await request(app)
        .get('/salary')
        .expect(403)
        .expect(/session\.persist_failed/);
      store.restore();
      await request(app).get('/salary').expect(200, '98000');
    });

    it('a store that hangs is a 403 after its deadline', async () => {
      const store = controllableStore(new MemorySessionStore(), { deadlineMs: 1 });
      store.hang('load');
      await request(appWith(store)).get('/clean').expect(403);
      store.restore();
    });

    it('openSession() rejects while loads fail', async () => {
      const store = controllableStore();
      store.fail('load');
      const opening = openSession({ session: 's', store, logger: { warn() {}, error() {} } });
      expect(await rejectionOf(opening)).to.have.property('code', 'session.load_failed');
    });

    it('a label whose append failed is stored by the next request', async () => {
      const store = controllableStore();
      const app = appWith(store);
      store.fail('append');
      await request(app).get('/salary').expect(403);
      store.restore();
      await request(app).get('/clean').expect(200);
      expect(await store.loadLabels('s')).to.deep.equal(['secret']);
    });

    it('a response waits for an append that hangs', async () => {
      const store = controllableStore();
      store.hang('append');
      let answered = false;
      const answer = request(appWith(store))
        .get('/salary')
        .then((response) => {
          answered = true;
          return response.text;
        });
      await store.hanging('append');
      expect(answered).to.equal(false);
      store.restore();
      expect(await answer).to.equal('98000');
    });
  });
});
