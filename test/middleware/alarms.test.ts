import { expect } from 'chai';
import request from 'supertest';
import { VERSION } from '../../lib/contract/version.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { addLabel, LABEL, middlewareFixture, ok, rejecting, SESSION, thrower } from '../support/middleware-fixture.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`alarms, ${version}`, () => {
    const { alarms, appOf, middlewareWith } = middlewareFixture(express);

    it('show no label, session id or credential, though the error has them', async () => {
      const message = `HSET ${SESSION} ${LABEL} ${LABEL}-longer at redis://user:hunter2@host:6379/0`;
      for (const op of ['load', 'append'] as const) {
        const logged: unknown[][] = [];
        const store = new ScriptedStore({ [op]: rejecting(message) });
        const logger = { warn() {}, error: (...args: unknown[]) => void logged.push(args) };
        const app = appOf(
          middlewareWith({ store, logger }),
          (req, _res, next) => {
            for (const label of [LABEL, `${LABEL}-longer`]) req.security.labels.add(label);
            next();
          },
          ok,
        );
        const { text } = await request(app).get(`/items?key=${SESSION}`).expect(403);
        expect(alarms.at(-1)).to.include({ op });
        const all = JSON.stringify([alarms.at(-1), logged]) + text;
        expect(all).to.not.contain(SESSION);
        expect(all).to.not.contain('hunter2');
        expect(all).to.contain('redis://***');
        // a store that loads knows no label
        if (op === 'append') expect(all).to.not.contain(LABEL).and.to.not.contain('-longer');
      }
    });

    it('G7: show no label that the session had before', async () => {
      const store = new ScriptedStore({ load: async () => ['stored-label'], append: rejecting('has stored-label') });
      await request(appOf(middlewareWith({ store }), addLabel, ok))
        .get('/')
        .expect(403);
      expect(JSON.stringify(alarms)).to.not.contain('stored-label');
    });

    it('onAlarm gets the frozen alarm, the logger a message and where to look', async () => {
      const logged: unknown[][] = [];
      const logger = { warn() {}, error: (...args: unknown[]) => void logged.push(args) };
      const store = new ScriptedStore({ load: rejecting() });
      await request(appOf(middlewareWith({ store, logger }), ok))
        .get('/')
        .expect(403);
      expect(logged).to.have.length(1);
      expect(logged[0]?.[0]).to.equal('session label load failed; failing request closed');
      const help = 'express-apl-session/docs/errors.md#session_store_failure';
      expect(logged[0]?.[1]).to.deep.equal({ ...alarms[0], package: 'express-apl-session', version: VERSION, help });
      expect(alarms[0]).to.be.frozen;
    });

    const bad: ReadonlyArray<readonly [what: string, behaviour: () => unknown]> = [
      ['throws', () => thrower('listener threw')],
      ['rejects', () => Promise.reject(new Error('listener rejected'))],
    ];
    for (const [what, behaviour] of bad) {
      for (const who of ['logger', 'onAlarm'] as const) {
        for (const op of ['load', 'append'] as const) {
          it(`G2: ${who} ${what} on a failed ${op}: the other one is called`, async () => {
            let heard = 0;
            const good = (): void => void heard++;
            const store = new ScriptedStore({ [op]: rejecting() });
            const app = appOf(
              middlewareWith({
                store,
                logger: { warn: good, error: who === 'logger' ? behaviour : good },
                onAlarm: (who === 'onAlarm' ? behaviour : good) as () => void,
              }),
              addLabel,
              ok,
            );
            const { body } = await request(app).get('/').expect(403);
            expect(body.code).to.equal(op === 'load' ? 'session.load_failed' : 'session.persist_failed');
            expect(heard).to.equal(1);
          });
        }
      }
    }

    const odd: ReadonlyArray<readonly [what: string, error: unknown]> = [
      ['an object without a prototype', Object.create(null)],
      ['a symbol', Symbol('odd')],
      ['an error whose message is no string', Object.assign(new Error('x'), { message: 5 })],
      [
        'an error whose message throws',
        Object.defineProperty(new Error('x'), 'message', { get: () => thrower('message threw') }),
      ],
    ];
    for (const [what, error] of odd) {
      for (const op of ['load', 'append'] as const) {
        it(`G2, G7, P54: a ${op} that rejects with ${what}: denied and alarmed`, async () => {
          const store = new ScriptedStore({ [op]: () => Promise.reject(error) });
          const { body } = await request(appOf(middlewareWith({ store }), addLabel, ok)).get('/');
          expect(body.code).to.equal(op === 'load' ? 'session.load_failed' : 'session.persist_failed');
          expect(alarms).to.have.length(1);
        });
      }
    }
  });
}
