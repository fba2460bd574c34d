import { expect } from 'chai';
import express, { type Express, type Request } from 'express';
import request from 'supertest';
import {
  type Alarm,
  type AplSessionMiddleware,
  type AplSessionOptions,
  aplSessionMiddleware,
  MemorySessionStore,
  openSession,
} from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { eventually, rejectionOf } from '../support/eventually.js';

const silent = { warn() {}, error() {} };

describe('limits of the sessions that a process knows', () => {
  let alarms: Alarm[];
  let loads: string[];
  let store: FailingStore;
  let middleware: AplSessionMiddleware;
  const goOn = { promise: Promise.resolve() };

  /** A memory store whose appends fail when the test says so. */
  class FailingStore extends MemorySessionStore {
    fails = false;

    override async loadLabels(id: string): Promise<string[]> {
      loads.push(id);
      return await super.loadLabels(id);
    }

    override async appendLabels(id: string, labels: readonly string[]): Promise<void> {
      if (this.fails) throw new Error('down');
      await super.appendLabels(id, labels);
    }
  }

  beforeEach(() => {
    alarms = [];
    loads = [];
    store = new FailingStore();
    goOn.promise = Promise.resolve();
  });

  function appWith(options: Partial<AplSessionOptions>): Express {
    middleware = aplSessionMiddleware({
      session: (req) => req.get('x-session'),
      store,
      logger: silent,
      onAlarm: (alarm) => void alarms.push(alarm),
      ...options,
    });
    const app = express().use(middleware);
    app.get('/add/:label', (req, res) => {
      req.security.labels.add(req.params.label);
      res.send('added');
    });
    app.get('/wait', async (_req, res) => {
      await goOn.promise;
      res.send('waited');
    });
    return app;
  }

  const get = (app: Express, path: string, session: string) => request(app).get(path).set('x-session', session);

  describe('maxLabelsPerSession', () => {
    it('G2: an append beyond it is not sent: 403, and an alarm with the code', async () => {
      const app = appWith({ maxLabelsPerSession: 2 });
      await get(app, '/add/a', 's').expect(200);
      await get(app, '/add/b', 's').expect(200);
      const { body } = await get(app, '/add/c', 's').expect(403);
      expect(body.code).to.equal('session.persist_failed');
      expect(alarms).to.have.length(1);
      expect(alarms[0]).to.include({ alarm: 'session_store_failure', op: 'append', code: 'store.too_many_labels' });
      expect(await store.loadLabels('s')).to.deep.equal(['a', 'b']);
      await get(app, '/add/c', 'other').expect(200);
    });

    it('G2: a load that finds more fails closed', async () => {
      await store.appendLabels('s', ['a', 'b', 'c']);
      const app = appWith({ maxLabelsPerSession: 2 });
      const { body } = await get(app, '/add/a', 's').expect(403);
      expect(body.code).to.equal('session.load_failed');
      expect(alarms[0]).to.include({ op: 'load', code: 'store.too_many_labels' });
      const opened = openSession({ session: 's', store, maxLabelsPerSession: 2, logger: silent });
      expect(await rejectionOf(opened)).to.include({ code: 'session.load_failed' });
    });

    it('holds for an open session, too', async () => {
      const opened = await openSession({ session: 's', store, maxLabelsPerSession: 1, logger: silent });
      opened.labels.add('a').add('b');
      expect(await rejectionOf(opened.persist())).to.include({ code: 'session.persist_failed' });
      expect(await store.loadLabels('s')).to.deep.equal([]);
    });
  });

  describe('maxKnownSessions', () => {
    it('refuses one session more, with an alarm, until another has ended', async () => {
      const app = appWith({ maxKnownSessions: 1 });
      const waiting = deferred<void>();
      goOn.promise = waiting.promise;
      const begun = get(app, '/wait', 'one').then((answer) => answer);
      const refused = () => get(app, '/wait', 'two');
      await eventually(async () => expect((await refused()).status).to.equal(403));
      expect(alarms[0]).to.include({ op: 'load', code: 'session.capacity_exceeded' });
      waiting.resolve();
      expect((await begun).text).to.equal('waited');
      await eventually(async () => expect((await refused()).status).to.equal(200));
    });

    it('a client that leaves before its session is known takes no place', async () => {
      const found = deferred<string>();
      let arrived: Request | undefined;
      const session = (req: Request): string | Promise<string> => {
        if (req.path !== '/leave') return 'two';
        arrived = req;
        return found.promise;
      };
      const app = appWith({ maxKnownSessions: 1, session });
      const leaving = get(app, '/leave', 'one').then(
        () => undefined,
        (error: Error) => error,
      );
      await eventually(() => expect(arrived).to.not.equal(undefined));
      arrived?.socket.destroy();
      expect(await leaving).to.be.an('error');
      found.resolve('one');
      await eventually(() => expect(loads).to.include('one'));
      await eventually(async () => expect((await get(app, '/wait', 'two')).status).to.equal(200));
    });

    it('G7: a session with owed labels keeps its place', async () => {
      const app = appWith({ maxKnownSessions: 1 });
      store.fails = true;
      await get(app, '/add/a', 'one').expect(403);
      await get(app, '/wait', 'two').expect(403);
      store.fails = false;
      await get(app, '/wait', 'one').expect(200);
      expect(await store.loadLabels('one')).to.deep.equal(['a']);
      await eventually(async () => expect((await get(app, '/wait', 'two')).status).to.equal(200));
    });
  });

  it('an open session dropped without close() makes room once collected', async () => {
    const open = (session: string) => openSession({ session, store, maxKnownSessions: 1, logger: silent });
    const kept = await open('one');
    expect(await rejectionOf(open('two'))).to.include({ code: 'session.load_failed' });
    await kept.close();
    await open('two');
    await eventually(async () => {
      global.gc?.();
      await (await open('three')).close();
    });
  });

  describe('close()', () => {
    it('G7: tries to append owed labels once more', async () => {
      const app = appWith({});
      store.fails = true;
      await get(app, '/add/a', 's').expect(403);
      store.fails = false;
      await middleware.close();
      expect(await store.loadLabels('s')).to.deep.equal(['a']);
    });

    it('G7: raises an alarm for labels that are lost then', async () => {
      const app = appWith({});
      store.fails = true;
      await get(app, '/add/a', 's').expect(403);
      alarms.length = 0;
      await middleware.close();
      expect(alarms).to.have.length(1);
      expect(alarms[0]).to.include({ op: 'append', route: 'aplSessionMiddleware.close()', error: 'down' });
    });
  });
});
