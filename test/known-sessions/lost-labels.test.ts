import { expect } from 'chai';
import express, { type Express } from 'express';
import request from 'supertest';
import { type Alarm, aplSessionMiddleware, MemorySessionStore, openSession } from '../../lib/index.js';
import { eventually, rejectionOf } from '../support/eventually.js';

const silent = { warn() {}, error() {} };
const SESSION = 'session-1';

/** A store that loses sessions, as a failover, a restart without data or a deleted key does. */
class LosingStore extends MemorySessionStore {
  fails = false;
  readonly lost = new Set<string>();
  readonly appended: string[] = [];
  reconnected = (): void => {};

  override async loadLabels(id: string): Promise<string[]> {
    return this.lost.has(id) ? [] : super.loadLabels(id);
  }

  override async appendLabels(id: string, labels: readonly string[]): Promise<void> {
    if (this.fails) throw new Error('down');
    this.lost.delete(id);
    this.appended.push(...labels.map((label) => `${id}:${label}`));
    await super.appendLabels(id, labels);
  }

  onReconnect(listener: () => void): void {
    this.reconnected = listener;
  }
}

describe('labels that the store has lost', () => {
  let store: LosingStore;
  let alarms: Alarm[];
  let handled: number;
  const onAlarm = (alarm: Alarm): void => void alarms.push(alarm);

  beforeEach(() => {
    store = new LosingStore();
    alarms = [];
    handled = 0;
  });

  /** An app of its own process, as far as the store can tell: it knows what it has seen itself. */
  function appOn(shared: LosingStore): Express {
    const app = express();
    app.use(aplSessionMiddleware({ session: (req) => req.get('x-session'), store: shared, logger: silent, onAlarm }));
    app.get('/labels', (req, res) => {
      handled += 1;
      res.json([...req.security.labels].sort());
    });
    app.get('/add/:label', (req, res) => {
      req.security.labels.add(req.params.label);
      res.send('added');
    });
    return app;
  }
  const get = (app: Express, path: string, session = SESSION) => request(app).get(path).set('x-session', session);

  for (const how of ['acknowledged by the store', 'returned by an earlier load'] as const) {
    it(`G5: ${how}: they are in the next request, and stored again`, async () => {
      const app = appOn(store);
      if (how === 'acknowledged by the store') await get(app, '/add/secret').expect(200);
      else await store.appendLabels(SESSION, ['secret']);
      await get(app, '/labels').expect(200, ['secret']);
      store.lost.add(SESSION);
      await get(app, '/labels').expect(200, ['secret']);
      expect(await store.loadLabels(SESSION)).to.deep.equal(['secret']);
      expect(alarms).to.have.length(1);
      expect(alarms[0]).to.include({ alarm: 'session_store_regression', route: 'GET *', lostLabels: 1 });
      expect(JSON.stringify(alarms)).to.not.include('secret').and.to.not.include(SESSION);
      await get(app, '/labels').expect(200, ['secret']);
      expect(alarms).to.have.length(1);
    });
  }

  it('G2: the request fails closed if they cannot be stored again', async () => {
    const app = appOn(store);
    await get(app, '/add/secret').expect(200);
    store.lost.add(SESSION);
    store.fails = true;
    const { text } = await get(app, '/labels').expect(403);
    expect(text).to.include('session.persist_failed');
    expect(handled).to.equal(0);
    expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['session_store_regression', 'session_store_failure']);
  });

  it('an open session has them, and raises the alarm', async () => {
    const options = { session: SESSION, store, logger: silent, onAlarm, name: 'job' };
    await store.appendLabels(SESSION, ['secret']);
    await (await openSession(options)).close();
    store.lost.add(SESSION);
    const session = await openSession(options);
    expect([...session.labels]).to.deep.equal(['secret']);
    expect(alarms).to.have.length(1);
    expect(alarms[0]).to.include({ alarm: 'session_store_regression', route: 'job', lostLabels: 1 });
    store.lost.add(SESSION);
    store.fails = true;
    expect(await rejectionOf(openSession(options))).to.have.property('code', 'session.persist_failed');
  });

  it('G5: after a reconnect of the store, they are stored again without a request', async () => {
    const app = appOn(store);
    const ids = Array.from({ length: 100 }, (_, n) => `s${n}`);
    for (const id of ids) await get(app, '/add/secret', id).expect(200);
    await get(app, '/labels', 'clean').expect(200, []);
    for (const id of ids) store.lost.add(id);
    store.appended.splice(0);
    store.reconnected();
    await eventually(() => expect(store.lost.size).to.equal(0));
    expect(store.appended.sort()).to.deep.equal(ids.map((id) => `${id}:secret`).sort());
    expect(alarms).to.deep.equal([]);
  });

  it('G5: a reconnect brings no label back that has outlived the memory', async () => {
    // labels are remembered for nine tenths of the TTL
    const expiring = new LosingStore({ ttlSeconds: 1 });
    const app = appOn(expiring);
    await get(app, '/add/secret').expect(200);
    const startedMs = performance.now();
    await eventually(() => performance.now() - startedMs > 950, { withinMs: 10_000 });
    await get(app, '/add/secret', 'recent').expect(200);
    expiring.appended.splice(0);
    expiring.reconnected();
    await eventually(() => expect(expiring.appended).to.deep.equal(['recent:secret']));
    await expiring.close();
  });

  it('a failed append after a reconnect leaves the loss to the next load', async () => {
    const app = appOn(store);
    await get(app, '/add/secret').expect(200);
    store.lost.add(SESSION);
    store.fails = true;
    store.reconnected();
    await new Promise((resolve) => setImmediate(resolve));
    store.fails = false;
    await get(app, '/labels').expect(200, ['secret']);
    expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['session_store_regression']);
  });
});
