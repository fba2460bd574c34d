import { expect } from 'chai';
import type { Express, RequestHandler } from 'express';
import request from 'supertest';
import type { RequestSecurity, SessionStore } from '../../lib/index.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import {
  addLabel,
  answerError,
  LABEL,
  middlewareFixture,
  ok,
  rejecting,
  SESSION,
} from '../support/middleware-fixture.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`req.security set by earlier middleware, ${version}`, () => {
    const { alarms, appOf, middlewareWith, seen } = middlewareFixture(express);

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
      it(`G7: its labels (${what}) are appended unless stored, the object stays`, async () => {
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

    it('G1: its labels hold the response', async () => {
      const store = new ScriptedStore({ append: rejecting() });
      await request(withEarlier({ labels: ['early'] }, store, ok))
        .get('/')
        .expect(403);
      expect(store.appends).to.deep.equal([['early']]);
    });

    it('G3: its violation stays the first, and the response stays on failure', async () => {
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

    it('G2: its violation does not make a normal response a denial', async () => {
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

    it('labels that are a string: 500 with label.invalid, no handler', async () => {
      const app = withEarlier({ labels: 'secret' }, new ScriptedStore(), ok).use(answerError);
      expect((await request(app).get('/').expect(500)).text).to.contain('label.invalid');
    });

    it('its labels are checked: 500 with label.invalid, no handler', async () => {
      const app = withEarlier({ labels: ['ok', ''] }, new ScriptedStore(), ok).use(answerError);
      const { text } = await request(app).get('/').expect(500);
      expect(text).to.contain('label.invalid');
    });

    it('a handler that replaces req.security does not bypass the gate', async () => {
      const store = new ScriptedStore({ append: rejecting() });
      const app = appOf(middlewareWith({ store }), addLabel, (req, res) => {
        req.security = { labels: new Set() } as unknown as RequestSecurity;
        res.send('stolen');
      });
      await request(app).get('/').expect(403);
    });
  });
}
