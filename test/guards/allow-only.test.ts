import { expect } from 'chai';
import request from 'supertest';
import { allowOnly, taint } from '../../lib/index.js';
import { thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { guardFixture, INVALID_VIOLATIONS, storeWith, VIOLATION } from '../support/guard-fixture.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`allowOnly, ${version}`, () => {
    const { alarms, appOf, handled, handler } = guardFixture(express);
    const status = async (...args: Parameters<typeof appOf>) => (await request(appOf(...args)).get('/')).status;

    it('a session whose labels are all named goes on', async () => {
      const guard = allowOnly(['public', 'internal'], VIOLATION);
      expect(await status(storeWith(), guard, handler)).to.equal(200);
      expect(await status(storeWith('public'), guard, handler)).to.equal(200);
      expect(await status(storeWith('internal', 'public'), guard, handler)).to.equal(200);
    });

    it('one label that is not named denies with the violation', async () => {
      const app = appOf(storeWith('public', 'secret'), allowOnly(['public'], VIOLATION), handler);
      const { body } = await request(app).get('/');
      expect([body.code, body.detail, handled()]).to.deep.equal([VIOLATION.code, VIOLATION.reason, 0]);
    });

    it('labels are compared letter by letter', async () => {
      expect(await status(storeWith('Public'), allowOnly(['public'], VIOLATION), handler)).to.equal(403);
    });

    it('an empty list accepts only sessions without labels', async () => {
      expect(await status(storeWith(), allowOnly([], VIOLATION), handler)).to.equal(200);
      expect(await status(storeWith('public'), allowOnly([], VIOLATION), handler)).to.equal(403);
    });

    it('labels that the request has added count, also for the message', async () => {
      const guard = allowOnly(['public'], VIOLATION);
      expect(await status(storeWith(), taint('secret'), guard, handler)).to.equal(403);
      expect(await status(storeWith(), taint('draft', { scope: 'message' }), guard, handler)).to.equal(403);
    });

    it('later changes of the list have no effect', async () => {
      const list = ['public'];
      const guard = allowOnly(list, VIOLATION);
      list.push('secret');
      expect(await status(storeWith('secret'), guard, handler)).to.equal(403);
    });

    it("enforce: 'observe' lets the request pass, with an alarm", async () => {
      const guard = allowOnly([], VIOLATION, { enforce: 'observe' });
      expect(await status(storeWith('secret'), guard, handler)).to.equal(200);
      expect(alarms).to.have.length(1);
      expect(alarms[0]).to.include({ alarm: 'policy_would_deny', guard: 'allowOnly', code: VIOLATION.code });
    });
  });
}

describe('allowOnly, construction', () => {
  for (const [what, labels, code] of [
    ['a string', 'public', 'config.invalid'],
    ['a set', new Set(['public']), 'config.invalid'],
    ['nothing', undefined, 'config.invalid'],
    ['an empty label', [''], 'label.invalid'],
    ['a label that is no string', [5], 'label.invalid'],
  ] as const) {
    it(`refuses ${what}`, () => {
      expect(thrownBy(() => allowOnly(labels as never, VIOLATION))).to.have.property('code', code);
    });
  }

  for (const [what, violation] of INVALID_VIOLATIONS) {
    it(`refuses ${what}`, () => {
      expect(thrownBy(() => allowOnly(['public'], violation as never))).to.have.property('code', 'violation.invalid');
    });
  }
});
