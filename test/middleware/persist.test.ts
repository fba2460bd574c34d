import { expect } from 'chai';
import request from 'supertest';
import { rejectionOf } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { HeldStore } from '../support/held-store.js';
import { addLabel, LABEL, middlewareFixture, rejecting, SESSION } from '../support/middleware-fixture.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`persist(), ${version}`, () => {
    const { alarms, appOf, middlewareWith } = middlewareFixture(express);

    it('resolves when the store has the labels, so nothing is held again', async () => {
      const store = new HeldStore();
      const steps: string[] = [];
      const app = appOf(middlewareWith({ store, storeTimeoutMs: 60_000 }), addLabel, async (req, res) => {
        const persisted = req.security.persist().then(() => steps.push('persisted'));
        await store.called();
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

    it('resolves without a store call if no label is new', async () => {
      const store = new ScriptedStore({ append: rejecting() });
      const app = appOf(middlewareWith({ store }), (req, res, next) => {
        req.security.persist().then(() => res.send('ok'), next);
      });
      await request(app).get('/').expect(200, 'ok');
      expect(store.appends).to.deep.equal([]);
    });

    it('concurrent calls share one append', async () => {
      const store = new ScriptedStore();
      const app = appOf(middlewareWith({ store }), addLabel, (req, res, next) => {
        Promise.all([req.security.persist(), req.security.persist()]).then(() => res.send('ok'), next);
      });
      await request(app).get('/').expect(200);
      expect(store.appends).to.deep.equal([[LABEL]]);
    });

    it('G2: rejects with session.persist_failed, and the response is denied', async () => {
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

    it('G2: without await a failure refuses the response, and the process goes on', async () => {
      const store = new ScriptedStore({ append: rejecting() });
      const app = appOf(middlewareWith({ store }), addLabel, (req, res) => {
        // mocha fails for a rejection that has no handler
        req.security.persist();
        res.send('stolen');
      });
      const { body } = await request(app).get('/').expect(403);
      expect(body.code).to.equal('session.persist_failed');
      expect(alarms).to.have.length(1);
    });

    it('G3: after a rejection a 401 of the handler stays', async () => {
      const store = new ScriptedStore({ append: rejecting() });
      const app = appOf(middlewareWith({ store }), addLabel, async (req, res) => {
        await rejectionOf(req.security.persist());
        res.status(401).send('log in');
      });
      await request(app).get('/').expect(401, 'log in');
    });

    it('a later success releases the response', async () => {
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
}
