import { expect } from 'chai';
import request from 'supertest';
import type { SessionStore } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { HeldStore } from '../support/held-store.js';
import { addLabel, LABEL, middlewareFixture, ok, SESSION } from '../support/middleware-fixture.js';
import { exchange, get, Wire } from '../support/raw-http.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`close(), ${version}`, () => {
    const { alarms, appOf, listen, middlewareWith, seen } = middlewareFixture(express);

    it('waits for pending appends', async () => {
      const store = new HeldStore();
      const middleware = middlewareWith({ store, storeTimeoutMs: 60_000 });
      const server = await listen(appOf(middleware, addLabel, ok));
      const wire = new Wire(server.port);
      wire.send(get('/', { Connection: 'close' }));
      await store.called();
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

    it('waits for appends that fail, and does not reject', async () => {
      const store = new HeldStore();
      const middleware = middlewareWith({ store, storeTimeoutMs: 60_000 });
      const wire = new Wire((await listen(appOf(middleware, addLabel, ok))).port);
      wire.send(get('/', { Connection: 'close' }));
      await store.called();
      const closing = middleware.close();
      store.failAll(new Error('failed late'));
      await closing;
      expect(await wire.closed()).to.match(/session\.persist_failed/);
    });

    it('closes a store that it has built, after the last append', async () => {
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

    it('G7: waits for an append that starts while it retries a failed one', async () => {
      const steps: string[] = [];
      const retrying = deferred<() => void>();
      const lateAppend = deferred<void>();
      let failures = 0;
      const build = (): SessionStore => ({
        loadLabels: async () => [],
        async appendLabels(session) {
          if (session === '/late') {
            await lateAppend.promise;
            steps.push('late append');
            return;
          }
          failures += 1;
          if (failures === 1) throw new Error('failed once');
          await new Promise<void>((resolve) => retrying.resolve(resolve));
          steps.push('retry');
        },
        async close() {
          steps.push('closed');
        },
      });
      const middleware = middlewareWith({
        session: (req) => req.path,
        store: { kind: 'mine' },
        storeFactories: [{ kind: 'mine', build }],
        storeTimeoutMs: 60_000,
      });
      const { port } = await listen(appOf(middleware, addLabel, ok));
      await exchange(port, get('/owed', { Connection: 'close' }));
      const closing = middleware.close();
      const endRetry = await retrying.promise;
      const late = new Wire(port);
      late.send(get('/late', { Connection: 'close' }));
      await eventually(() => seen.length === 2);
      endRetry();
      await eventually(() => steps.length === 1);
      lateAppend.resolve();
      await closing;
      await late.closed();
      expect(steps).to.deep.equal(['retry', 'late append', 'closed']);
    });

    it('G7: a label that is added after close() is an alarm', async () => {
      const added = deferred<() => void>();
      const middleware = middlewareWith();
      const { port } = await listen(
        appOf(middleware, (req, res) => {
          added.resolve(() => {
            req.security.labels.add(LABEL);
            res.send('ok');
          });
        }),
      );
      const answer = exchange(port, get('/', { Connection: 'close' }));
      const addLate = await added.promise;
      await middleware.close();
      addLate();
      expect((await answer).text).to.match(/session\.persist_failed/);
      expect(alarms[0]).to.include({ alarm: 'session_store_failure', op: 'append', code: 'store.closed' });
    });

    it('makes the default store reject: 403 session.load_failed', async () => {
      const middleware = middlewareWith();
      const app = appOf(middleware, ok);
      await request(app).get('/').expect(200);
      await middleware.close();
      const { body } = await request(app).get('/').expect(403);
      expect(body.code).to.equal('session.load_failed');
      expect(alarms[0]).to.include({ code: 'store.closed' });
    });
  });
}
