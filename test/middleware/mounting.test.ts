import { expect } from 'chai';
import type { RequestHandler } from 'express';
import request from 'supertest';
import type { RequestSecurity } from '../../lib/index.js';
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
  describe(`mounted more than once (P58), ${version}`, () => {
    const { appOf, middlewareWith } = middlewareFixture(express);

    it('one instance and another, in apps and routers: one load, one append', async () => {
      const store = new ScriptedStore({ load: async () => ['stored'] });
      const same = middlewareWith({ store });
      const other = middlewareWith({ store });
      const identities = new Set<RequestSecurity>();
      const look: RequestHandler = (req, _res, next) => {
        identities.add(req.security);
        next();
      };
      const router = express.Router().use(same, look, other, look, addLabel, ok);
      const subApp = express().use(other, look, same, look).use('/router', router);
      await request(appOf(same, look, same, look).use('/sub', subApp))
        .get('/sub/router')
        .expect(200, 'ok');
      expect(identities.size).to.equal(1);
      expect(store.loads).to.deep.equal([SESSION]);
      expect(store.appends).to.deep.equal([[LABEL]]);
    });

    it('before and after authentication: the second mount keeps the labels', async () => {
      const store = new ScriptedStore({ load: async () => ['stored'] });
      const labels: string[][] = [];
      const app = appOf(
        middlewareWith({ store, session: () => undefined }),
        addLabel,
        middlewareWith({ store }),
        (req, res) => {
          labels.push([...req.security.labels]);
          res.send(req.security.sessionId);
        },
      );
      await request(app).get('/').expect(200, SESSION);
      expect(labels).to.deep.equal([['stored', LABEL]]);
      expect(store.appends).to.deep.equal([[LABEL]]);
    });

    for (const [what, options] of [
      ['another session', { session: () => 'another session' }],
      ['another store', { store: new ScriptedStore() }],
    ] as const) {
      it(`G2: two mounts with ${what} are middleware.conflict`, async () => {
        const store = new ScriptedStore();
        const app = appOf(middlewareWith({ store }), middlewareWith({ store, ...options }), ok).use(answerError);
        expect((await request(app).get('/').expect(500)).text).to.contain('middleware.conflict');
      });
    }

    it('P55: next is called once, also when handler or store fails', async () => {
      const calls: unknown[] = [];
      const counted = (middleware: RequestHandler): RequestHandler => {
        return (req, res, next) => {
          const once: typeof next = (error?: unknown) => {
            calls.push(error);
            next(error);
          };
          void middleware(req, res, once);
        };
      };
      const throwing: RequestHandler = (req) => {
        req.security.labels.add(LABEL);
        throw new Error('from the handler');
      };
      const failing = new ScriptedStore({ append: rejecting() });
      await request(appOf(counted(middlewareWith({ store: failing })), throwing))
        .get('/')
        .expect(403);
      expect(calls).to.deep.equal([undefined]);
      const unloadable = new ScriptedStore({ load: rejecting() });
      await request(appOf(counted(middlewareWith({ store: unloadable })), throwing))
        .get('/')
        .expect(403);
      expect(calls).to.deep.equal([undefined]);
    });

    it('G1, G2: a sub-app, which swaps the prototype, is behind the gate', async () => {
      const store = new ScriptedStore({ append: rejecting() });
      const subApp = express().use(addLabel, (_req, res) => void res.cookie('stolen', '1').json({ stolen: 1 }));
      const { body, headers } = await request(appOf(middlewareWith({ store })).use('/sub', subApp))
        .get('/sub')
        .expect(403);
      expect(body.code).to.equal('session.persist_failed');
      expect(headers).to.not.have.property('set-cookie');
    });
  });
}
