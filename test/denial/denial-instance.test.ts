import { expect } from 'chai';
import request from 'supertest';
import { type DenialDetails, denyIf, jsonRpcDenial, type SessionStore, taint } from '../../lib/index.js';
import { INSTANCE, instancesIn } from '../support/denial-instance.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { HeldStore } from '../support/held-store.js';
import { addLabel, LABEL, middlewareFixture, ok, rejecting } from '../support/middleware-fixture.js';

const VIOLATION = { code: 'tainted', reason: 'not with these labels' };
const deny = denyIf(() => true, VIOLATION);
const failsToLoad = (): SessionStore => new ScriptedStore({ load: rejecting() });
const failsToAppend = (): SessionStore => new ScriptedStore({ append: rejecting() });

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`instance of a denial, ${version}`, () => {
    const { alarms, appOf, listen, middlewareWith } = middlewareFixture(express);

    it('is a random id, another one for each denied request', async () => {
      const app = appOf(middlewareWith(), deny);
      const ids = new Set<string>();
      for (let n = 0; n < 3; n += 1) {
        const { body } = await request(app).get('/').expect(403);
        expect(body.instance).to.match(new RegExp(`^${INSTANCE.source}$`));
        ids.add(body.instance);
      }
      expect(ids).to.have.property('size', 3);
    });

    for (const { what, options, handlers, alarm } of [
      { what: 'a failed load', options: { store: failsToLoad() }, handlers: [ok], alarm: 'session_store_failure' },
      {
        what: 'a failed append',
        options: { store: failsToAppend() },
        handlers: [addLabel, ok],
        alarm: 'session_store_failure',
      },
      {
        what: 'a failed append of taint()',
        options: { store: failsToAppend() },
        handlers: [taint(LABEL), ok],
        alarm: 'session_store_failure',
      },
      { what: 'a policy that fails', options: {}, handlers: [denyIf(rejecting(), VIOLATION)], alarm: 'policy_error' },
      {
        what: 'a session that is not enrolled',
        options: { sessions: 'enrolled' as const },
        handlers: [ok],
        alarm: 'session_unknown',
      },
      {
        what: 'a request without a session',
        options: { session: () => undefined, sessionless: 'deny' as const },
        handlers: [ok],
        alarm: 'session_missing',
      },
      {
        what: 'a renderer that fails',
        options: { denial: rejecting() },
        handlers: [deny],
        alarm: 'denial_not_rendered',
      },
    ]) {
      it(`${what}: the alarm has the id that the client got`, async () => {
        const { body } = await request(appOf(middlewareWith(options), ...handlers))
          .get('/')
          .expect(403);
        expect(instancesIn(body.instance)).to.have.length(1);
        expect(alarms.map((each) => [each.alarm, (each as { instance?: string }).instance])).to.deep.equal([
          [alarm, body.instance],
        ]);
      });
    }

    it('labels owed from before: the alarm has the id of the request that it denies', async () => {
      const app = appOf(middlewareWith({ store: failsToAppend() }), addLabel, ok);
      const first = await request(app).get('/').expect(403);
      const second = await request(app).get('/').expect(403);
      const instances = [first.body.instance, second.body.instance];
      expect(alarms.map((alarm) => (alarm as { instance?: string }).instance)).to.deep.equal(instances);
      expect(new Set(instances)).to.have.property('size', 2);
    });

    it('several responses refused for one append have an id each', async () => {
      const store = new HeldStore();
      const { port } = await listen(appOf(middlewareWith({ store, storeTimeoutMs: 60_000 }), addLabel, ok));
      const get = () => request(`http://127.0.0.1:${port}`).get('/').then();
      const first = get();
      const append = await store.nextAppend();
      store.holdLoads = true;
      const second = get();
      (await store.nextLoad()).succeed();
      append.fail();
      store.failAll();
      const ids = (await Promise.all([first, second])).map(({ body }) => body.instance);
      expect(instancesIn(ids.join(' '))).to.have.length(2);
      expect(new Set(ids)).to.have.property('size', 2);
    });

    it('a guard that observes denies nothing, so its alarm has no id', async () => {
      const guard = denyIf(rejecting(), VIOLATION, { enforce: 'observe' });
      await request(appOf(middlewareWith(), guard, ok))
        .get('/')
        .expect(200);
      for (const alarm of alarms) expect(alarm).to.not.have.property('instance');
      expect(alarms).to.have.length(2);
    });

    it('a renderer gets it with the code and the reason, frozen', async () => {
      let got: DenialDetails | undefined;
      const app = appOf(
        middlewareWith({
          denial: (denial, _req, res) => {
            got = denial;
            res.end(denial.instance);
          },
        }),
        deny,
      );
      const { text } = await request(app).get('/').expect(403);
      expect(got).to.deep.equal({ ...VIOLATION, instance: text }).and.to.be.frozen;
    });

    it('jsonRpcDenial() has it in the data of the error', async () => {
      const { body } = await request(appOf(middlewareWith({ denial: jsonRpcDenial() }), deny)).get('/');
      expect(instancesIn(body.error.data.instance)).to.have.length(1);
    });

    it('a body of the template does not have it', async () => {
      const { text } = await request(appOf(middlewareWith({ denial: { body: 'no' } }), deny)).get('/');
      expect(text).to.equal('no');
    });

    it('req.security.violation does not have it', async () => {
      const seen: unknown[] = [];
      const app = appOf(
        middlewareWith(),
        (req, res, next) => {
          res.once('finish', () => seen.push(req.security.violation));
          next();
        },
        deny,
      );
      await request(app).get('/').expect(403);
      expect(seen).to.deep.equal([VIOLATION]);
    });

    it('both violations of a session look the same but for code, detail and id', async () => {
      const forms = await Promise.all(
        [failsToLoad(), failsToAppend()].map(async (store) => {
          const { body, headers, status } = await request(appOf(middlewareWith({ store }), addLabel, ok)).get('/');
          const { code: _code, detail: _detail, instance: _instance, ...rest } = body;
          const { date: _date, 'content-length': _length, ...others } = headers;
          return { status, keys: Object.keys(body), rest, others };
        }),
      );
      expect(forms[0]).to.deep.equal(forms[1]);
    });
  });
}
