import { expect } from 'chai';
import type { RequestHandler } from 'express';
import request from 'supertest';
import { denyIf, policy, requireSession, requireThat, taint } from '../../lib/index.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { guardFixture, LABEL, VIOLATION } from '../support/guard-fixture.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`without the middleware, ${version}`, () => {
    const { handled, handler, onError } = guardFixture(express);

    for (const [what, guard] of [
      ['taint', taint(LABEL)],
      ['denyIf with a label', denyIf(LABEL, VIOLATION)],
      ['denyIf with a predicate', denyIf(() => false, VIOLATION)],
      ['requireThat', requireThat(() => true, VIOLATION)],
      ['requireSession', requireSession()],
      ['policy', policy(() => ({ allow: true }))],
      ['taint with message scope', taint(LABEL, { scope: 'message' })],
    ] as const) {
      it(`${what}: middleware.missing, and the handler does not run`, async () => {
        const app = express().get('/', guard, handler).use(onError);
        await request(app).get('/').expect(500, 'middleware.missing');
        expect(handled()).to.equal(0);
      });
    }

    it('an object that looks like req.security is not accepted', async () => {
      const forged: RequestHandler = (req, _res, next) => {
        Object.assign(req, { security: { labels: new Set(), persist: async () => {}, deny() {} } });
        next();
      };
      await request(express().get('/', forged, taint(LABEL), handler).use(onError))
        .get('/')
        .expect(500);
      expect(handled()).to.equal(0);
    });
  });
}
