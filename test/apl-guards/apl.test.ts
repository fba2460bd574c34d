import { expect } from 'chai';
import request from 'supertest';
import { apl } from '../../lib/apl.js';
import { denyIf, taint } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { HeldStore } from '../support/held-store.js';
import { answerError, failingStore, LABEL, RememberingStore, rulesFixture } from './rules-fixture.js';

const DENY_LABEL = `security.labels contains "${LABEL}": deny('session touched secret data', 'session_tainted')`;

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`apl(), ${version}`, () => {
    const { alarms, app, handled, handler, listen } = rulesFixture(express);

    it('a request that no rule denies goes on', async () => {
      const rules = app().post('/', apl([DENY_LABEL]), handler);
      await request(rules).post('/').expect(200, { handled: true });
      expect(alarms).to.deep.equal([]);
    });

    it('a rule on security.labels denies with its code and reason', async () => {
      const rules = app(new RememberingStore(LABEL)).post('/', apl([DENY_LABEL]), handler);
      const { status, body } = await request(rules).post('/');
      expect([status, body.code, body.detail]).to.deep.equal([403, 'session_tainted', 'session touched secret data']);
      expect(handled()).to.equal(0);
    });

    it('a denial without a code has the place of its rule as code', async () => {
      const { body } = await request(app().post('/', apl(['allow', 'deny']), handler)).post('/');
      expect([body.code, body.detail]).to.deep.equal(['global.apl.pre_invocation[1]', 'access denied']);
    });

    it('rules may be text in YAML or JSON, a list or a section', async () => {
      for (const rules of [
        '- deny("r", "c")',
        "[\"deny('r', 'c')\"]",
        "pre_invocation: [\"deny('r', 'c')\"]",
        { authorization: { pre_invocation: ["deny('r', 'c')"] } },
      ]) {
        const { body } = await request(app().post('/', apl(rules), handler)).post('/');
        expect([body.code, body.detail]).to.deep.equal(['c', 'r']);
      }
    });

    it('a label that an earlier guard has added is seen', async () => {
      const rules = app().post('/', taint(LABEL), apl([DENY_LABEL]), handler);
      await request(rules)
        .post('/')
        .expect(403, /session_tainted/);
    });

    it('a label of the same list is not seen, as in CPEX', async () => {
      const store = new RememberingStore();
      await request(app(store).post('/', apl([`taint(${LABEL})`, DENY_LABEL]), handler))
        .post('/')
        .expect(200);
      expect(store.appended).to.deep.equal([LABEL]);
    });

    it('a label that comes while a plugin waits is not seen by later rules of the list', async () => {
      const asked = deferred<void>();
      const answer = deferred<{ allow: true }>();
      const plugins = {
        wait: () => {
          asked.resolve();
          return answer.promise;
        },
      };
      const rules = app(new RememberingStore('other'))
        .post('/', apl(['plugin(wait)', DENY_LABEL], { plugins }), handler)
        .post('/taint', taint(LABEL), handler);
      const { port } = await listen(rules);
      const waiting = fetch(`http://127.0.0.1:${port}/`, { method: 'POST' });
      await asked.promise;
      await fetch(`http://127.0.0.1:${port}/taint`, { method: 'POST' });
      answer.resolve({ allow: true });
      expect((await waiting).status).to.equal(200);
    });

    it('a label that comes while the attributes are collected is seen', async () => {
      const asked = deferred<void>();
      const answer = deferred<readonly string[]>();
      const roles = () => {
        asked.resolve();
        return answer.promise;
      };
      const rules = app()
        .post('/', apl(['role.a: allow', DENY_LABEL], { roles }), handler)
        .post('/taint', taint(LABEL), handler);
      const { port } = await listen(rules);
      const waiting = fetch(`http://127.0.0.1:${port}/`, { method: 'POST' });
      await asked.promise;
      await fetch(`http://127.0.0.1:${port}/taint`, { method: 'POST' });
      answer.resolve([]);
      expect((await waiting).status).to.equal(403);
    });

    it('G1: the labels of rules are stored before the handler runs', async () => {
      const store = new HeldStore();
      const { origin } = await originOf(app(store).post('/', apl([`taint(${LABEL})`]), handler));
      const answer = fetch(origin, { method: 'POST' });
      await store.called();
      expect(handled()).to.equal(0);
      store.release();
      expect((await answer).status).to.equal(200);
      expect(handled()).to.equal(1);
    });

    it('G1: the labels of rules are stored before their denial leaves', async () => {
      const store = new RememberingStore();
      const rules = app(store).post('/', apl([`taint(${LABEL})`, 'deny', 'taint(late)']), handler);
      await request(rules).post('/').expect(403);
      expect(store.appended).to.deep.equal([LABEL]);
    });

    it('G2: no handler runs if the labels of rules cannot be stored', async () => {
      const { body } = await request(app(failingStore()).post('/', apl([`taint(${LABEL})`]), handler)).post('/');
      expect([body.code, handled()]).to.deep.equal(['session.persist_failed', 0]);
      expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['session_store_failure']);
    });

    it('G3: a denial stays as it is if its labels cannot be stored', async () => {
      const rules = app(failingStore()).post('/', apl([`taint(${LABEL})`, "deny('r', 'c')"]), handler);
      expect((await request(rules).post('/')).body.code).to.equal('c');
      expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['session_store_failure']);
    });

    it('a label of the message is seen by later guards and never stored', async () => {
      const store = new RememberingStore();
      const later = denyIf('draft', { code: 'later', reason: 'r' });
      await request(app(store).post('/', apl(['taint(draft, message)']), later, handler))
        .post('/')
        .expect(403, /later/);
      expect(store.appended).to.deep.equal([]);
    });

    it('the response: of a section is the form of its denials', async () => {
      const response = { status: 302, headers: { Location: '/login' }, body: 'log in first' };
      const rules = app().post('/', apl({ pre_invocation: ['deny'], response }), handler);
      const answer = await request(rules).post('/').redirects(0);
      expect([answer.status, answer.headers['location'], answer.text]).to.deep.equal([302, '/login', 'log in first']);
    });

    it('the response: is also the form of a persist failure', async () => {
      const section = { pre_invocation: ['allow'], response: { status: 451, body: 'sorry' } };
      const rules = app(failingStore()).post('/', apl(section), (req, res) => {
        req.security.labels.add(LABEL);
        res.send('secret');
      });
      const answer = await request(rules).post('/');
      expect([answer.status, answer.text]).to.deep.equal([451, 'sorry']);
    });

    it('the response: takes precedence over the denial of the guard', async () => {
      const section = { pre_invocation: ['deny'], response: { body: 'from the section' } };
      const rules = app().post('/', apl(section, { denial: { status: 451, body: 'from the guard' } }), handler);
      expect((await request(rules).post('/')).text).to.equal('from the section');
      const other = app().post('/', apl(['deny'], { denial: { status: 451 } }), handler);
      expect((await request(other).post('/')).status).to.equal(451);
    });

    it('a guard on a request that the middleware has not seen is an error', async () => {
      const rules = express()
        .post('/', apl(['allow']), handler)
        .use(answerError);
      await request(rules).post('/').expect(500, { code: 'middleware.missing' });
    });

    it('apl mounted without being called is an error', async () => {
      const rules = express()
        .use(apl as never)
        .use(answerError);
      await request(rules).get('/').expect(500, { code: 'config.invalid' });
    });

    it('rules on labels without a session raise the alarm session_missing', async () => {
      const rules = app(undefined, { session: () => undefined }).post('/', apl([DENY_LABEL]), handler);
      await request(rules).post('/').expect(200);
      expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['session_missing']);
    });

    describe("enforce: 'observe'", () => {
      it('a request that would be denied goes on; the alarm names the rule', async () => {
        const rules = apl({ args: { to: 'enum(boss)' }, pre_invocation: [] }, { enforce: 'observe', name: 'mail' });
        await request(app().post('/', rules, handler))
          .post('/')
          .send({ to: 'stranger-7' })
          .expect(200);
        expect(alarms).to.have.length(1);
        expect(alarms[0]).to.deep.include({
          alarm: 'policy_would_deny',
          guard: 'mail',
          code: 'global.apl.args.to',
          error: 'the rule global.apl.args.to denies',
        });
        expect(JSON.stringify(alarms)).to.not.include('stranger-7');
      });

      it('the labels of rules are stored nevertheless', async () => {
        const store = new RememberingStore();
        const rules = apl([`taint(${LABEL})`, 'deny'], { enforce: 'observe' });
        await request(app(store).post('/', rules, handler))
          .post('/')
          .expect(200);
        expect(store.appended).to.deep.equal([LABEL]);
      });

      it('G2: a failure of the store denies nevertheless', async () => {
        const rules = apl([`taint(${LABEL})`], { enforce: 'observe' });
        await request(app(failingStore()).post('/', rules, handler))
          .post('/')
          .expect(403, /persist_failed/);
        expect(handled()).to.equal(0);
      });
    });

    async function originOf(rules: ReturnType<typeof app>) {
      const { port } = await listen(rules);
      return { origin: `http://127.0.0.1:${port}/` };
    }
  });
}

describe('apl(), construction', () => {
  const refused: ReadonlyArray<readonly [what: string, rules: unknown, options: object | undefined, message: RegExp]> =
    [
      ['an unknown option', ['allow'], { attribute: () => ({}) }, /attribute/],
      ['a list of hosts in capitals', ['allow'], { hosts: ['Api'] }, /hosts/],
      ['attributeNames without attributes', ['allow'], { attributeNames: ['data.*'] }, /needs 'attributes'/],
      ['transformArgs with args', ['allow'], { transformArgs: true, args: () => ({}) }, /'transformArgs'/],
      ['a role that nothing sets', ['role.hr: deny'], {}, /read role\.\*, .* 'roles' or 'attributes'/],
      ['a claim that nothing sets', ['claim.tenant == "a": deny'], {}, /'claims' or 'attributes'/],
      ['a subject that nothing sets', ['require(authenticated)'], {}, /'subject' or 'attributes'/],
      ['a host without a list of hosts', ['http.host == "a": deny'], {}, /'hosts'/],
      [
        'a chain that changes an argument',
        { args: { ssn: 'str | mask(4)' } },
        {},
        /global\.apl\.args\.ssn .*transformArgs/,
      ],
      ['a rule that changes an argument', [{ when: 'exists(args.a)', do: 'args.a | redact' }], {}, /transformArgs/],
      ['a response that frames its body', { response: { headers: { 'Content-Length': '1' } } }, {}, /Content-Length/],
    ];
  for (const [what, rules, options, message] of refused) {
    it(`refuses ${what}`, () => {
      const error = thrownBy(() => apl(rules, options));
      expect(error).to.have.property('code', 'config.invalid');
      expect(error).to.have.property('message').that.matches(message);
    });
  }

  for (const [what, rules, message] of [
    ['a misspelt key', { pre_invocaton: ['deny'] }, /Did you mean pre_invocation/],
    ['a misspelt attribute', ['securty.labels contains "a": deny'], /Did you mean security\.labels/],
    ['a number', 5, /The rules are/],
    ['a document', { global: { pre_invocation: ['deny'] } }, /Use aplPolicies/],
    ['an unknown plugin', ['plugin(mail)'], /Unknown plugin/],
    ['an unknown decision point', [{ cel: { expr: 'true' } }], /Unknown decision point/],
  ] as const) {
    it(`refuses ${what}, with the place`, () => {
      const error = thrownBy(() => apl(rules));
      expect(error).to.have.property('code', 'policy.invalid_document');
      expect(error).to.have.property('message').that.matches(message);
    });
  }
});
