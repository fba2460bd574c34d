import { expect } from 'chai';
import request from 'supertest';
import type { SessionResolver } from '../../lib/index.js';
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
  thrower,
} from '../support/middleware-fixture.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`which session, ${version}`, () => {
    const { alarms, appOf, middlewareWith, seen } = middlewareFixture(express);

    const answers: ReadonlyArray<readonly [what: string, answer: unknown, id: string | undefined, source?: string]> = [
      ['a string', SESSION, SESSION, 'custom'],
      ['{ id, source }', { id: SESSION, source: 'agent' }, SESSION, 'agent'],
      ['{ id }', { id: SESSION }, SESSION, 'custom'],
      ['undefined', undefined, undefined],
      ['null', null, undefined],
      ["''", '', undefined],
      ["{ id: '' }", { id: '' }, undefined],
    ];
    for (const [what, answer, id, source] of answers) {
      for (const [how, resolver] of [
        [what, () => answer],
        [`a promise of ${what}`, async () => answer],
      ] as ReadonlyArray<readonly [string, SessionResolver]>) {
        it(`G6: ${how} is ${id === undefined ? 'no session, and the store is not touched' : 'a session'}`, async () => {
          const store = new ScriptedStore({ load: async () => ['stored'] });
          const app = appOf(middlewareWith({ session: resolver, store }), addLabel, ok);
          await request(app).get('/').expect(200, 'ok');
          const security = seen[0]?.security;
          expect(security?.sessionId).to.equal(id);
          expect(security?.source).to.equal(source);
          expect([...(security?.labels ?? [])]).to.deep.equal(id === undefined ? [LABEL] : ['stored', LABEL]);
          expect(store.loads).to.deep.equal(id === undefined ? [] : [id]);
          expect(store.appends).to.deep.equal(id === undefined ? [] : [[LABEL]]);
        });
      }
    }

    it('G6, G7: without a session labels live for the request, with an alarm', async () => {
      const store = new ScriptedStore({ load: rejecting(), append: rejecting() });
      const app = appOf(middlewareWith({ session: () => undefined, store }), async (req, res) => {
        const before = [...req.security.labels];
        req.security.labels.add(LABEL);
        await req.security.persist();
        res.json({ before, after: [...req.security.labels] });
      });
      for (let n = 0; n < 2; n++)
        await request(app)
          .get('/')
          .expect(200, { before: [], after: [LABEL] });
      const reason = 'the resolver found no session';
      const error = `The request has no session: ${reason}.`;
      expect(alarms).to.deep.equal([{ alarm: 'session_missing', route: 'GET *', reason, error }]);
    });

    const wrong: ReadonlyArray<readonly [what: string, resolver: unknown, message: RegExp]> = [
      ['throws', () => thrower('resolver threw'), /resolver threw/],
      ['rejects', async () => thrower('resolver rejected'), /resolver rejected/],
      ['returns a number', () => 5, /session\.invalid/],
      ['returns true', () => true, /session\.invalid/],
      ['returns an empty object', () => ({}), /session\.invalid/],
      ['returns an array', () => ['a'], /session\.invalid/],
      ['returns an id that is no string', () => ({ id: 5 }), /session\.invalid/],
      ['returns a source that is no string', () => ({ id: 'a', source: 5 }), /session\.invalid/],
      ['returns a lone surrogate', () => '\ud800', /session\.invalid/],
      ['returns a promise of garbage', async () => 5, /session\.invalid/],
    ];
    for (const [what, resolver, message] of wrong) {
      it(`G2: a resolver that ${what} is a 500 of the app, with no handler`, async () => {
        const store = new ScriptedStore();
        const app = appOf(middlewareWith({ session: resolver as SessionResolver, store }), ok).use(answerError);
        const { text } = await request(app).get('/').expect(500);
        expect(text).to.match(message);
        expect(seen).to.deep.equal([]);
        expect(store.loads).to.deep.equal([]);
      });
    }
  });
}
