import { expect } from 'chai';
import type { Request } from 'express';
import request from 'supertest';
import { type AplOptions, apl } from '../../lib/apl.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { LABEL, RememberingStore, rulesFixture, SESSION } from './rules-fixture.js';

const KEEP = { attributeNames: ['data.*', 'risk'], attributes: () => ({}) } as const;

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`attributes of a request, ${version}`, () => {
    const { alarms, app, handled, handler } = rulesFixture(express);
    /** Whether a condition holds for a request. */
    async function holds(condition: string, options: AplOptions = {}, path = '/', body?: object): Promise<boolean> {
      const rules = app(new RememberingStore(LABEL)).set('trust proxy', true);
      rules.use('/sub', apl([`${condition}: deny('r', 'held')`], { absent: 'deny', ...options }), handler);
      rules.use('/', apl([`${condition}: deny('r', 'held')`], { absent: 'deny', ...options }), handler);
      const call = request(rules).post(path).set({ 'X-Tag': 'blue', accept: 'text/x', 'X-Forwarded-Proto': 'https' });
      const answer = await call.set('X-Forwarded-Host', 'API.example').send(body);
      expect(answer.status).to.be.oneOf([200, 403], answer.text);
      if (answer.status === 403) expect(answer.body.code).to.equal('held');
      return answer.status === 403;
    }

    const facts: ReadonlyArray<readonly [condition: string, options?: AplOptions, path?: string, body?: object]> = [
      ['http.method == "POST"'],
      ['http.path == "/sub/a%62"', {}, '/sub/a%62?q=1'],
      ['http.path == "/"'],
      ['http.scheme == "https"'],
      ['http.host == "api.example"', { hosts: ['api.example'] }],
      ['http.request_headers.accept == "text/x"'],
      ['http.request_headers[risk] == "blue"', { ...KEEP, attributes: () => ({ risk: 'x-tag' }) }],
      ['route.key == "global.apl"'],
      [`security.labels contains "${LABEL}"`],
      ['subject.id == "alice" & authenticated', { subject: () => 'alice' }],
      ['subject.id == "alice"', { subject: async () => 'alice' }],
      ['!exists(subject.id) & !authenticated', { subject: () => '' }],
      ['role.hr & !role.it', { roles: () => ['hr'] }],
      ['perm.read & perm.write', { permissions: async () => new Set(['read', 'write']) }],
      ['team.blue & subject.teams contains "blue"', { teams: () => ['blue'] }],
      ['claim.tenant == "a" & claim.level == "3" & claim.ok == "true"', claims({ tenant: 'a', level: 3, ok: true })],
      ['claim.list == "[1]" & claim.none == "null" & !exists(claim.other)', claims({ list: [1], none: null })],
      ['exists(claim.empty)', claims({ empty: '' })],
      ['subject.type == "agent"', { attributes: () => ({ 'subject.type': 'agent' }) }],
      ['risk > 5', { ...KEEP, attributes: async () => ({ risk: 7 }) }],
      [
        'data.tenants[claim.t].open',
        { ...KEEP, ...claims({ t: 'a' }), attributes: () => ({ 'data.tenants.a.open': true }) },
      ],
      ['args.amount > 10 & args.to.name == "bob"', {}, '/', { amount: 11, to: { name: 'bob' } }],
      ['args.tags contains "urgent"', {}, '/', { tags: ['urgent'] }],
      ['args.q == "from the option"', { args: () => ({ q: 'from the option' }) }],
      ['args.q == "later"', { args: async () => ({ q: 'later' }) }],
      ['!exists(args.amount)'],
    ];
    for (const [condition, ...rest] of facts) {
      it(condition, async () => {
        expect(await holds(condition, ...rest)).to.equal(true);
        expect(await holds(`!(${condition})`, ...rest)).to.equal(false);
      });
    }

    it('a function is called only if a rule reads what it provides', async () => {
      const called: string[] = [];
      const note = (name: string) => () => {
        called.push(name);
        return undefined;
      };
      const options: AplOptions = {
        ...{ subject: note('subject'), roles: note('roles'), permissions: note('permissions'), teams: note('teams') },
        ...{ claims: note('claims'), attributes: note('attributes'), args: note('args') },
      };
      const call = async (rule: string, more: AplOptions = {}) => {
        called.length = 0;
        await request(app().post('/', apl([rule], { ...options, ...more }), handler)).post('/');
        return [...called];
      };
      expect(await call('security.labels contains "a": deny')).to.deep.equal([]);
      expect(await call('role.a: deny')).to.deep.equal(['roles', 'attributes']);
      expect(await call('args.a: deny')).to.deep.equal(['args']);
      expect(await call('require(authenticated)')).to.deep.equal(['subject', 'attributes']);
      const all = ['args', 'attributes', 'claims', 'permissions', 'roles', 'subject', 'teams'];
      expect((await call('plugin(p)', { plugins: { p: () => ({ allow: true }) } })).sort()).to.deep.equal(all);
    });

    const failures: ReadonlyArray<readonly [what: string, rule: string, options: AplOptions]> = [
      ['a function that throws', 'role.a: deny', { roles: fails }],
      ['a function that rejects', 'role.a: deny', { roles: async () => fails() }],
      ['roles that are a text', 'role.a: deny', { roles: () => 'a b' as never }],
      ['roles that are no texts', 'role.a: deny', { roles: () => [5] as never }],
      ['a subject that is no text', 'authenticated: deny', { subject: () => 5 as never }],
      ['claims that are a list', 'claim.a == "x": deny', { claims: () => [] as never }],
      ['a claim that JSON would round', 'claim.a == "x": deny', claims({ a: 2 ** 60 })],
      ['a claim that JSON cannot hold', 'claim.a == "x": deny', claims({ a: () => 1 })],
      ['attributes that are a text', 'role.a: deny', { attributes: () => 'role.a' as never }],
      ['an attribute with a misspelt name', 'role.a: deny', { attributes: () => ({ 'rol.a': true }) }],
      ['an attribute that the guard sets itself', 'role.a: deny', { attributes: () => ({ 'security.labels': 'x' }) }],
      ['an attribute of a wrong type', 'role.a: deny', { attributes: () => ({ 'role.a': null as never }) }],
      ['a role that is a text', 'role.a: deny', { attributes: () => ({ 'role.a': 'true' }) }],
      ['a claim that is no text', 'claim.a == "true": deny', { attributes: () => ({ 'claim.a': true }) }],
      ['teams that are a text', 'subject.teams contains "a": deny', { attributes: () => ({ 'subject.teams': 'a' }) }],
      ['a host that is not in the list', 'http.host == "a": deny', { hosts: ['a'] }],
      ['arguments that are a list', 'args.a: deny', { args: () => [] }],
      ['arguments that are a text', 'args.a: deny', { args: () => 'a' }],
    ];
    for (const [what, rule, options] of failures) {
      it(`${what}: policy.error, with an alarm`, async () => {
        const { status, body } = await request(
          app().post('/', apl([rule], { name: 'mail', ...options }), handler),
        ).post('/');
        expect([status, body.code, handled()]).to.deep.equal([403, 'policy.error', 0]);
        expect(alarms).to.have.length(1);
        expect(alarms[0]).to.include({ alarm: 'policy_error', guard: 'mail' });
      });
    }

    it('an alarm shows no label, no id of a session and no value of an attribute', async () => {
      const roles = (req: Request) => {
        throw new Error(`${SESSION} ${LABEL} ${req.body.to} ${req.get('x-card')} of a.person@corp.example`);
      };
      const subject = () => 'a.person@corp.example';
      const rule = 'args.to == "x" & authenticated & http.request_headers.accept == "x" & role.a: deny';
      const rules = app(new RememberingStore(LABEL)).post('/', apl([rule], { roles, subject }), handler);
      await request(rules)
        .post('/')
        .set('accept', 'card-4711')
        .set('x-card', 'card-4711')
        .send({ to: 'eve-the-receiver' });
      expect(alarms).to.have.length(1);
      for (const secret of [SESSION, LABEL, 'a.person', 'card-4711', 'eve-the-receiver']) {
        expect(JSON.stringify(alarms)).to.not.include(secret);
      }
    });

    it('only sections with a plugin read everything', async () => {
      const plugins = { p: () => ({ allow: true as const }) };
      const upload = (rules: readonly string[]) =>
        request(app().post('/', apl(rules, { plugins, roles: () => [] }), handler))
          .post('/')
          .type('text')
          .send('upload');
      await upload(['role.a: deny']).expect(200);
      await upload(['role.a: deny', 'plugin(p)']).expect(403, /policy\.error/);
    });

    describe('plugins and decision points', () => {
      it('receive the request, the labels and the subject, as policy() gives them', async () => {
        const seen: unknown[] = [];
        const plugins: AplOptions['plugins'] = {
          check(call, attributes, { req, labels, subject }) {
            seen.push(call.phase, attributes['http.method'], req.path, [...labels], subject);
            return { code: 'checked', reason: 'r' };
          },
        };
        const rules = app(new RememberingStore(LABEL)).post(
          '/pay',
          apl(['plugin(check)'], { plugins, subject: () => 'alice' }),
          handler,
        );
        expect((await request(rules).post('/pay')).body.code).to.equal('checked');
        expect(seen).to.deep.equal(['pre', 'POST', '/pay', [LABEL], 'alice']);
      });

      it('receive their own request, also while others wait', async () => {
        const waiting: Array<() => void> = [];
        const plugins: AplOptions['plugins'] = {
          async check(_call, _attributes, { req }) {
            await new Promise<void>((resolve) => {
              waiting.push(resolve);
              if (waiting.length === 3) for (const go of waiting.reverse()) go();
            });
            return { code: String(req.query['n']), reason: 'r' };
          },
        };
        const rules = app().post('/', apl(['plugin(check)'], { plugins }), handler);
        const answers = await Promise.all(['1', '2', '3'].map((n) => request(rules).post('/').query({ n })));
        expect(answers.map(({ body }) => body.code)).to.deep.equal(['1', '2', '3']);
      });

      it('a decision point decides a step by the arguments of the step', async () => {
        const decisionPoints: AplOptions['decisionPoints'] = {
          cel: ({ arguments: given }, _attributes, { labels }) =>
            typeof given === 'object' && given['expr'] === '!("x" in labels)' && !labels.has(LABEL)
              ? { allow: true }
              : { code: 'cel', reason: 'r' },
        };
        const guard = apl([{ cel: { expr: '!("x" in labels)' } }], { decisionPoints });
        await request(app().post('/', guard, handler))
          .post('/')
          .expect(200);
        await request(app(new RememberingStore(LABEL)).post('/', guard, handler))
          .post('/')
          .expect(403, /"cel"/);
      });

      it('one that throws has an alarm with the route, which no header of the client can hide', async () => {
        const guard = apl(['plugin(check)'], { plugins: { check: fails } });
        await request(app().post('/mail', guard, handler))
          .post('/mail')
          .set('x-any', 'mail');
        expect(alarms[0]).to.include({ alarm: 'policy_error', route: 'POST /mail' });
      });

      it('one that throws denies with its own code, with an alarm', async () => {
        const plugins = { check: fails };
        const decisionPoints = { cel: async () => fails() };
        for (const [rule, code] of [
          ['plugin(check)', 'plugin:check'],
          [{ cel: { expr: 'x' } }, 'pdp:Cel'],
        ] as const) {
          const guard = apl([rule], { plugins, decisionPoints });
          expect((await request(app().post('/', guard, handler)).post('/')).body.code).to.equal(code);
        }
        expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['policy_error', 'policy_error']);
        expect(handled()).to.equal(0);
      });
    });

    describe('arguments', () => {
      const rule = apl(['args.amount > 10: deny("r", "much")']);
      const post = (guard = rule) => request(app().post('/', guard, handler)).post('/');

      it('of a body that no parser has read: policy.error', async () => {
        for (const body of ['amount=11', 'text']) {
          const answer = await post().set('content-type', 'application/x-www-form-urlencoded').send(body);
          expect([answer.body.code, handled()]).to.deep.equal(['policy.error', 0]);
        }
        expect(JSON.stringify(alarms)).to.include('no body parser has read the body');
      });

      it('of a body that is a list: policy.error', async () => {
        expect((await post().send([{ amount: 11 }])).body.code).to.equal('policy.error');
      });

      it('in a list that leads to a field of a rule: policy.error', async () => {
        const guard = apl(['args.to.amount > 10: deny']);
        expect((await post(guard).send({ to: [{ amount: 11 }] })).body.code).to.equal('policy.error');
        await post(guard)
          .send({ to: { amount: 1 } })
          .expect(200);
      });

      it('two fields with one path: policy.error', async () => {
        const guard = apl(['args.a.b > 10: deny']);
        expect((await post(guard).send({ 'a.b': 1, a: { b: 11 } })).body.code).to.equal('policy.error');
      });

      it('rules that read no arguments accept any body', async () => {
        await post(apl(['role.a: deny'], { roles: () => [] }))
          .set('content-type', 'text/plain')
          .send('text')
          .expect(200);
      });

      it('chains check them', async () => {
        const guard = apl({ args: { to: 'str | len(1..5)', amount: 'int | 0..10' } });
        await post(guard).send({ to: 'bob', amount: 3 }).expect(200);
        await post(guard)
          .send({ to: 'barbara' })
          .expect(403, /global\.apl\.args\.to/);
        await post(guard)
          .send({ amount: '3' })
          .expect(403, /global\.apl\.args\.amount/);
      });

      it('chains change them with transformArgs, and the handler sees it', async () => {
        const guard = apl({ args: { ssn: 'mask(4)', note: 'omit' } }, { transformArgs: true });
        const echo = app().post('/', guard, (req, res) => void res.json(req.body));
        const { body } = await request(echo).post('/').send({ ssn: '123456789', note: 'x', other: 1 });
        expect(body).to.deep.equal({ ssn: '*****6789', other: 1 });
      });

      it('a plugin that changes them without transformArgs denies', async () => {
        const plugins = { hide: () => ({ allow: true as const, value: 'hidden' }) };
        const { body } = await post(apl({ args: { ssn: 'plugin(hide)' } }, { plugins })).send({ ssn: '1' });
        expect([body.code, handled()]).to.deep.equal(['policy.error', 0]);
      });

      it("enforce: 'observe' changes none", async () => {
        const guard = apl({ args: { ssn: 'redact' } }, { transformArgs: true, enforce: 'observe' });
        const echo = app().post('/', guard, (req, res) => void res.json(req.body));
        expect((await request(echo).post('/').send({ ssn: '1' })).body).to.deep.equal({ ssn: '1' });
      });
    });
  });
}

function claims(found: Readonly<Record<string, unknown>>): AplOptions {
  return { claims: () => found };
}

function fails(): never {
  throw new Error('down');
}
