import { expect } from 'chai';
import type { RequestHandler } from 'express';
import request from 'supertest';
import { taint } from '../../lib/index.js';
import { ANY_INSTANCE, anyInstanceIn } from '../support/denial-instance.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { APPEND_FAILURES, ScriptedStore } from '../support/failing-stores.js';
import { guardFixture, LABEL, storeWith } from '../support/guard-fixture.js';
import { HeldStore } from '../support/held-store.js';
import { exchange, get, Wire } from '../support/raw-http.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`taint, ${version}`, () => {
    const { alarms, appOf, handled, handler, listen } = guardFixture(express);

    it('G1: the handler does not run before the append has settled', async () => {
      const store = new HeldStore();
      const port = await listen(appOf(store, taint(LABEL), handler));
      const wire = new Wire(port);
      wire.send(get('/', { Connection: 'close' }));
      await store.called();
      expect((await exchange(port, get('/probe', { Connection: 'close' }))).text).to.match(/probed$/);
      expect(handled()).to.equal(0);
      expect(wire.received).to.equal('');
      store.release();
      expect(await wire.closed()).to.match(/^HTTP\/1\.1 200 .*handled$/s);
      expect(store.appends).to.deep.equal([[LABEL]]);
    });

    for (const { name, behaviour, code } of APPEND_FAILURES) {
      it(`G2: store ${name}: 403, no handler, one alarm`, async () => {
        const store = new ScriptedStore({ append: behaviour });
        const { body, headers } = await request(appOf(store, taint(LABEL), handler))
          .get('/')
          .expect(403);
        expect(anyInstanceIn(body)).to.deep.equal({
          type: 'about:blank',
          title: 'Forbidden',
          status: 403,
          detail: 'session state could not be persisted',
          instance: ANY_INSTANCE,
          code: 'session.persist_failed',
        });
        expect(headers).to.include({ 'cache-control': 'no-store' });
        expect(handled()).to.equal(0);
        expect(alarms).to.have.length(1);
        const { instance } = body;
        expect(alarms[0]).to.include({
          op: 'append',
          route: 'GET /',
          decisionWasAllow: true,
          bytesSent: false,
          instance,
        });
        if (code !== undefined) expect(alarms[0]).to.include({ code });
        expect(store.appends).to.deep.equal([[LABEL]]);
      });
    }

    it('several labels are one append', async () => {
      const store = storeWith();
      await request(appOf(store, taint('a', 'b', 'a'), handler))
        .get('/')
        .expect(200);
      expect(store.appends).to.deep.equal([['a', 'b']]);
    });

    it('appends only new labels, and makes no call where all are stored', async () => {
      const store = storeWith('a', 'b');
      await request(appOf(store, taint('a', 'b'), handler))
        .get('/')
        .expect(200);
      expect(store.appends).to.deep.equal([]);
      await request(appOf(store, taint('a', 'c'), handler))
        .get('/')
        .expect(200);
      expect(store.appends).to.deep.equal([['c']]);
    });

    it('a label that the handler adds later is held and appended on its own', async () => {
      const store = storeWith();
      const addMore: RequestHandler = (req, res) => {
        req.security.labels.add('more');
        res.send('handled');
      };
      await request(appOf(store, taint(LABEL), addMore))
        .get('/')
        .expect(200);
      expect(store.appends).to.deep.equal([[LABEL], ['more']]);
    });

    it('an error of the next handler goes to Express', async () => {
      const throwing: RequestHandler = () => {
        throw Object.assign(new Error('x'), { code: 'of the handler' });
      };
      await request(appOf(storeWith(), taint(LABEL), throwing))
        .get('/')
        .expect(500, 'of the handler');
    });
  });
}
