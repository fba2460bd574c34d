import { expect } from 'chai';
import request from 'supertest';
import { type Alarm, AplSessionError, aplSessionMiddleware, openSession } from '../../lib/index.js';
import { controllableStore } from '../../lib/testing.js';
import { eventually } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { addLabel, middlewareFixture, ok, SESSION } from '../support/middleware-fixture.js';

const quiet = { warn() {}, error() {} };
const timeout = new AplSessionError('store.timeout', 'too late');
const full = new AplSessionError('store.full', 'full');

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`recoveries, ${version}`, () => {
    const { alarms, appOf, middlewareWith } = middlewareFixture(express);
    const recoveries = (): Alarm[] => alarms.filter(({ alarm }) => alarm === 'session_store_recovered');
    let store: ReturnType<typeof controllableStore>;
    beforeEach(() => {
      store = controllableStore();
    });

    it('a load that succeeds again: one alarm with duration, count and code', async () => {
      const app = appOf(middlewareWith({ store }), ok);
      store.fail('load', timeout);
      for (let round = 0; round < 3; round += 1) await request(app).get('/').expect(403);
      store.restore();
      await request(app).get('/').expect(200);
      await request(app).get('/').expect(200);
      await eventually(() => expect(recoveries()).to.have.length(1));
      expect(recoveries()[0]).to.include({
        alarm: 'session_store_recovered',
        after: 'session_store_failure',
        op: 'load',
        code: 'store.timeout',
        failures: 3,
      });
      expect(recoveries()[0]).to.be.frozen;
    });

    it('an append that was refused by the store needs an append that succeeds', async () => {
      const middleware = middlewareWith({ store });
      const app = appOf(middleware, addLabel, ok);
      store.fail('append', full);
      await request(app).get('/').expect(403);
      await store.loadLabels('other');
      const other = await openSession({ session: 'other', store, logger: quiet });
      await middleware.close();
      expect(recoveries()).to.deep.equal([]);
      store.restore();
      other.labels.add('a');
      await other.persist();
      await middleware.close();
      expect(recoveries()[0]).to.include({ op: 'append', code: 'store.full', failures: 2 });
    });

    it('an append that found no connection has recovered when a load succeeds', async () => {
      store.fail('append', timeout);
      await request(appOf(middlewareWith({ store }), addLabel, ok))
        .get('/')
        .expect(403);
      await openSession({ session: 'other', store, logger: quiet });
      await eventually(() => expect(recoveries()).to.have.length(1));
      expect(recoveries()[0]).to.include({ op: 'append', code: 'store.timeout' });
    });

    it('a failure of one session has no recovery', async () => {
      await store.appendLabels(SESSION, ['a', 'b', 'c']);
      const middleware = middlewareWith({ store, maxLabelsPerSession: 2 });
      await request(appOf(middleware, ok)).get('/').expect(403);
      expect(alarms[0]).to.include({ code: 'store.too_many_labels' });
      await openSession({ session: 'other', store, logger: quiet });
      await middleware.close();
      expect(recoveries()).to.deep.equal([]);
    });

    it('every middleware that has raised the alarm hears of the recovery', async () => {
      const heard: string[] = [];
      const [first, second, silent] = ['first', 'second', 'silent'].map((name) => {
        const onAlarm = ({ alarm }: Alarm): void => void heard.push(`${name} ${alarm}`);
        return aplSessionMiddleware({ session: () => SESSION, store, logger: quiet, onAlarm });
      });
      store.fail('load', timeout);
      for (const middleware of [first, second]) {
        await request(appOf(middleware ?? ok, ok))
          .get('/')
          .expect(403);
      }
      store.restore();
      await request(appOf(silent ?? ok, ok))
        .get('/')
        .expect(200);
      await eventually(() => expect(heard).to.have.length(4));
      expect(heard.slice(2)).to.deep.equal(['first session_store_recovered', 'second session_store_recovered']);
    });

    it('openSession() hears of the recovery that a later openSession() has found', async () => {
      const onAlarm = (alarm: Alarm): void => void alarms.push(alarm);
      store.fail('load', timeout);
      for (let round = 0; round < 3; round += 1) {
        await openSession({ session: 's', store, logger: quiet, onAlarm }).catch(() => {});
      }
      store.restore();
      await openSession({ session: 's', store, logger: quiet, onAlarm });
      await eventually(() => expect(recoveries()).to.have.length(1));
      expect(recoveries()[0]).to.include({ failures: 3 });
    });
  });
}
