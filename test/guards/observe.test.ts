import { expect } from 'chai';
import type { RequestHandler } from 'express';
import request from 'supertest';
import { aplSessionMiddleware, denyIf, policy, requireSession, requireThat, taint } from '../../lib/index.js';
import { thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { failingStore, guardFixture, LABEL, SESSION, storeWith, VIOLATION } from '../support/guard-fixture.js';

const OBSERVE = { enforce: 'observe' } as const;
const failing = (): never => {
  throw new Error(`${SESSION} ${LABEL} engine is down`);
};

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`enforce: 'observe', ${version}`, () => {
    const { alarms, appOf, handled, handler } = guardFixture(express);
    let warnings: string[] = [];
    const onWarning = (warning: Error & { code?: string }): void => {
      if (warning.code === 'APL_GUARD_OBSERVES') warnings.push(warning.message);
    };
    before(() => void process.on('warning', onWarning));
    after(() => void process.off('warning', onWarning));
    beforeEach(() => {
      warnings = [];
    });

    const guards: ReadonlyArray<readonly [name: string, code: string, make: () => RequestHandler]> = [
      ['denyIf', VIOLATION.code, () => denyIf(LABEL, VIOLATION, OBSERVE)],
      ['denyIf', VIOLATION.code, () => denyIf(() => true, VIOLATION, OBSERVE)],
      ['denyIf', VIOLATION.code, () => denyIf(async () => true, VIOLATION, OBSERVE)],
      ['requireThat', VIOLATION.code, () => requireThat(() => false, VIOLATION, OBSERVE)],
      ['policy', VIOLATION.code, () => policy(() => VIOLATION, OBSERVE)],
      ['policy', 'policy.error', () => policy(failing, OBSERVE)],
      ['requireThat', 'policy.error', () => requireThat(failing, VIOLATION, OBSERVE)],
    ];
    for (const [name, code, make] of guards) {
      it(`${name} with ${code}: the request goes on, with one alarm`, async () => {
        const response = await request(appOf(storeWith(LABEL), make(), handler)).get('/');
        expect([response.status, response.text, handled()]).to.deep.equal([200, 'handled', 1]);
        const observed = alarms.filter(({ alarm }) => alarm === 'policy_would_deny');
        expect(observed).to.have.length(1);
        expect(observed[0]).to.include({ guard: name, code, route: 'GET /' });
        expect(JSON.stringify(alarms)).to.not.include(LABEL).and.to.not.include(SESSION);
      });
    }

    it('requireSession: a request without a session goes on, with one alarm', async () => {
      const middleware = aplSessionMiddleware({
        session: () => undefined,
        logger: { warn() {}, error() {} },
        onAlarm: (alarm) => void alarms.push(alarm),
      });
      const app = express().use(middleware, requireSession(OBSERVE), handler);
      expect((await request(app).get('/')).text).to.equal('handled');
      expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['policy_would_deny']);
    });

    it('no alarm for a request that the guard lets pass', async () => {
      await request(appOf(storeWith(), denyIf(LABEL, VIOLATION, OBSERVE), handler)).get('/');
      expect(alarms).to.deep.equal([]);
    });

    it('G2: a failure to persist still denies', async () => {
      const app = appOf(failingStore(), denyIf('other', VIOLATION, OBSERVE), taint(LABEL), handler);
      const response = await request(app).get('/');
      expect([response.status, response.body.code, handled()]).to.deep.equal([403, 'session.persist_failed', 0]);
    });

    it('a guard behind it still denies', async () => {
      const app = appOf(
        storeWith(LABEL),
        denyIf(LABEL, { code: 'observed', reason: 'r' }, OBSERVE),
        denyIf(LABEL, VIOLATION),
        handler,
      );
      const response = await request(app).get('/');
      expect([response.status, response.body.code]).to.deep.equal([403, VIOLATION.code]);
    });

    it('the process warns when the guard is made, with its name', async () => {
      denyIf(LABEL, VIOLATION, { ...OBSERVE, name: 'mail' });
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.include("The guard 'mail' observes").and.to.include("Remove enforce: 'observe'");
    });

    it('a guard without the option, and with deny, does not warn', async () => {
      denyIf(LABEL, VIOLATION);
      denyIf(LABEL, VIOLATION, { enforce: 'deny' });
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings).to.deep.equal([]);
    });

    it('taint does not have the option, and another value is an error', () => {
      for (const make of [
        () => taint(LABEL, OBSERVE as object),
        () => denyIf(LABEL, VIOLATION, { enforce: 'off' as 'deny' }),
        () => denyIf(LABEL, VIOLATION, { enforce: true as unknown as 'deny' }),
      ]) {
        expect(thrownBy(make)).to.have.property('code', 'config.invalid');
      }
    });
  });
}
