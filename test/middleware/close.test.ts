import { expect } from 'chai';
import request from 'supertest';
import type { SessionStore } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { HeldStore } from '../support/held-store.js';
import { addLabel, LABEL, middlewareFixture, ok, SESSION } from '../support/middleware-fixture.js';
import { get, Wire } from '../support/raw-http.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`close(), ${version}`, () => {
    const { alarms, appOf, listen, middlewareWith } = middlewareFixture(express);

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
