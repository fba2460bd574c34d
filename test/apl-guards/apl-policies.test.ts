import { expect } from 'chai';
import type { Express, RequestHandler } from 'express';
import request from 'supertest';
import { type AplPoliciesOptions, apl, aplPolicies } from '../../lib/apl.js';
import { deferred } from '../support/deferred.js';
import { thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { failingStore, RememberingStore, rulesFixture } from './rules-fixture.js';

/** The compensation scenario, as a CPEX gateway would have it. */
const COMPENSATION = `
plugin_settings: { routing_enabled: true }
global:
  authorization:
    pre_invocation:
      - "require(authenticated)"
  response: { status: 401, headers: { WWW-Authenticate: Bearer } }
groups:
  outgoing:
    authorization:
      pre_invocation:
        - "security.labels contains \\"secret\\": deny('session touched secret data', 'session_tainted')"
routes:
  - tool: get_compensation
    authorization:
      pre_invocation:
        - taint(secret)
      post_invocation:
        - "!(security.labels contains \\"secret\\"): deny"
    result:
      ssn: "str | redact(!perm.view_ssn)"
  - tool: [send_email, post_message]
    meta: { tags: [outgoing] }
    args:
      to: "str | len(1..64)"
    response: { status: 451, body: refused }
`;

const TOOLS: Readonly<Record<string, string>> = {
  'GET /compensation': 'get_compensation',
  'POST /email': 'send_email',
};
const OPTIONS: AplPoliciesOptions = {
  file: 'policies.yaml',
  tool: (req) => TOOLS[`${req.method} ${req.path}`],
  subject: (req) => req.get('x-user'),
  permissions: () => [],
};
const call = (name: string, args?: object) => ({
  jsonrpc: '2.0',
  id: 7,
  method: 'tools/call',
  params: { name, ...(args && { arguments: args }) },
});

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`aplPolicies(), ${version}`, () => {
    const { alarms, app, handled, handler, listen } = rulesFixture(express);
    const salary: RequestHandler = (_req, res) => void res.json({ salary: 98_000, ssn: '123-45-6789' });

    function compensation(store = new RememberingStore()): Express {
      return app(store)
        .use(aplPolicies(COMPENSATION, OPTIONS))
        .get('/compensation', salary)
        .post('/email', handler)
        .get('/other', handler);
    }

    describe('the compensation scenario by one document', () => {
      it('mail is refused once the session has read salaries', async () => {
        const rules = compensation();
        const mail = () => request(rules).post('/email').set('x-user', 'alice').send({ to: 'bob' });
        await mail().expect(200);
        const { body } = await request(rules).get('/compensation').set('x-user', 'alice');
        expect(body).to.deep.equal({ salary: 98_000, ssn: '[REDACTED]' });
        await mail().expect(451, 'refused');
      });

      it('the chains of a tool check its arguments', async () => {
        const { status } = await request(compensation()).post('/email').set('x-user', 'alice').send({ to: '' });
        expect([status, handled()]).to.deep.equal([451, 0]);
      });

      it('a request without a tool gets the rules and the response of global', async () => {
        const answer = await request(compensation()).get('/other');
        expect([answer.status, answer.headers['www-authenticate']]).to.deep.equal([401, 'Bearer']);
        expect(answer.body.code).to.equal('global.apl.pre_invocation[0]');
        await request(compensation()).get('/other').set('x-user', 'alice').expect(200);
      });

      it('a tool without a response is refused in the form of the middleware', async () => {
        const { status, body } = await request(compensation()).get('/compensation');
        expect([status, body.code]).to.deep.equal([403, 'global.apl.pre_invocation[0]']);
      });

      it('G2: no salary leaves while the label cannot be stored', async () => {
        const rules = app(failingStore()).use(aplPolicies(COMPENSATION, OPTIONS)).get('/compensation', salary);
        const { body, text } = await request(rules).get('/compensation').set('x-user', 'alice');
        expect([body.code, text.includes('salary')]).to.deep.equal(['session.persist_failed', false]);
      });
    });

    describe('calls of MCP', () => {
      const document = {
        global: { pre_invocation: ['args.blocked: deny("r", "global")'], defaults: { tool: { args: { to: 'str' } } } },
        routes: [
          { tool: 'mail', pre_invocation: ['args.to == "eve": deny("r", "mail")'] },
          { prompt: 'draft', pre_invocation: ['deny("r", "prompt")'] },
          { resource: 'file:///salaries', pre_invocation: ['deny("r", "resource")'] },
        ],
      };
      const codeOf = async (body: object) => {
        const rules = app().use(aplPolicies(document)).post('/mcp', handler);
        const answer = await request(rules).post('/mcp').send(body);
        return answer.body.code as string | undefined;
      };

      it('get the rules of their tool, on the arguments of the call', async () => {
        expect(await codeOf(call('mail', { to: 'eve' }))).to.equal('mail');
        expect(await codeOf(call('mail', { to: 'bob' }))).to.equal(undefined);
        expect(await codeOf(call('mail'))).to.equal(undefined);
      });

      it('also get the rules of global and of the defaults, for tools that have no route as well', async () => {
        expect(await codeOf(call('mail', { blocked: true }))).to.equal('global');
        expect(await codeOf(call('other', { blocked: true }))).to.equal('global');
        expect(await codeOf(call('other', { to: 5 }))).to.equal('global.defaults.tool.apl.args.to');
        expect(await codeOf(call('other', { to: 'eve' }))).to.equal(undefined);
      });

      it('of prompts and resources get the rules of their routes', async () => {
        const message = (method: string, params: object) => ({ jsonrpc: '2.0', id: 1, method, params });
        expect(await codeOf(message('prompts/get', { name: 'draft' }))).to.equal('prompt');
        expect(await codeOf(message('resources/read', { uri: 'file:///salaries' }))).to.equal('resource');
        expect(await codeOf(message('prompts/get', { name: 'other' }))).to.equal(undefined);
      });

      it('other messages get the rules of global', async () => {
        expect(await codeOf({ jsonrpc: '2.0', id: 1, method: 'tools/list' })).to.equal(undefined);
        expect(await codeOf({ blocked: true })).to.equal('global');
      });

      for (const [what, guard] of [
        ['apl(rules)', () => apl(['args.id == "root": deny("r", "root")'])],
        [
          'apl(policies)',
          () => apl(aplPolicies({ routes: [{ tool: 'drop', args: { id: 'int' } }] }), { tool: 'drop' }),
        ],
        [
          'the option tool',
          () => aplPolicies({ routes: [{ tool: 'drop', args: { id: 'int' } }] }, { tool: () => 'drop' }),
        ],
        [
          'the rules of global',
          () => aplPolicies({ global: { pre_invocation: ['args.id == "root": deny("r", "root")'] } }),
        ],
      ] as const) {
        it(`cannot hide the id of a plain body from ${what}`, async () => {
          const rules = app().use(guard()).post('/drop', handler);
          const hidden = { ...call('drop', {}), id: 'root' };
          const { body } = await request(rules).post('/drop').send(hidden);
          expect([body.code, handled()]).to.deep.equal(['policy.error', 0]);
          expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['policy_error']);
          await request(rules).post('/drop').send({ id: 5 }).expect(200);
        });
      }

      it('with an argument id get the rules of their tool', async () => {
        const rules = app()
          .use(aplPolicies({ routes: [{ tool: 'drop', args: { id: '0..9' } }] }))
          .post('/mcp', handler);
        await request(rules)
          .post('/mcp')
          .send(call('drop', { id: 5 }))
          .expect(200);
        const { body } = await request(rules)
          .post('/mcp')
          .send(call('drop', { id: 10 }));
        expect(body.code).to.equal('routes.tool:drop.apl.args.id');
      });

      it('the option args says where the arguments are', async () => {
        const rules = app().post('/drop', apl({ args: { id: 'int' } }, { args: (req) => req.body }), handler);
        const { body } = await request(rules)
          .post('/drop')
          .send({ ...call('drop', {}), id: 'root' });
        expect(body.code).to.equal('global.apl.args.id');
      });

      it('a batch with a call is refused, without an alarm', async () => {
        expect(await codeOf([{ jsonrpc: '2.0', id: 1, method: 'tools/list' }, call('mail')])).to.equal(
          'mcp.batch_refused',
        );
        expect(await codeOf([call('mail')])).to.equal('mcp.batch_refused');
        expect([handled(), alarms]).to.deep.equal([0, []]);
      });

      for (const [what, body] of [
        ['without a version', { ...call('mail'), jsonrpc: undefined }],
        ['of another version', { ...call('mail'), jsonrpc: '1.0' }],
        ['with another member', { ...call('mail'), to: 'eve' }],
        ['without parameters', { ...call('mail'), params: undefined }],
        ['with parameters in a list', { ...call('mail'), params: ['mail'] }],
        ['without a name', { ...call('mail'), params: {} }],
        ['with a name that is no text', { ...call('mail'), params: { name: ['mail'] } }],
        ['with arguments in a list', { ...call('mail'), params: { name: 'mail', arguments: ['eve'] } }],
      ] as const) {
        it(`a malformed call ${what} is denied, with an alarm`, async () => {
          expect(await codeOf(body)).to.equal('policy.error');
          expect([handled(), alarms.map(({ alarm }) => alarm)]).to.deep.equal([0, ['policy_error']]);
        });
      }

      for (const [what, type, body] of [
        [
          'with a type that a body parser does not know',
          'text/plain; a=application/json',
          JSON.stringify(call('mail')),
        ],
        ['without a type', '', JSON.stringify(call('mail'))],
        ['of another type', 'text/plain', 'hello'],
      ] as const) {
        it(`a body ${what}, which could be a call, is denied with an alarm`, async () => {
          const rules = app()
            .use(aplPolicies({ routes: [{ tool: 'mail' }] }))
            .post('/mcp', handler);
          const { port } = await listen(rules);
          const headers = { 'content-type': type };
          const answer = await fetch(`http://127.0.0.1:${port}/mcp`, { method: 'POST', headers, body });
          expect(await answer.text()).to.include('policy.error');
          expect([handled(), alarms.map(({ alarm }) => alarm)]).to.deep.equal([0, ['policy_error']]);
        });
      }

      it('a body that a parser has kept as text or bytes is denied', async () => {
        for (const parser of [express.text({ type: () => true }), express.raw({ type: () => true })]) {
          const rules = app()
            .use(parser, aplPolicies({ routes: [{ tool: 'mail' }] }))
            .post('/mcp', handler);
          const { body } = await request(rules)
            .post('/mcp')
            .type('text')
            .send(JSON.stringify(call('mail')));
          expect([body.code, handled()]).to.deep.equal(['policy.error', 0]);
        }
      });

      it('a document without rules for entities accepts bodies without a parser', async () => {
        const rules = app()
          .use(aplPolicies({ global: { pre_invocation: ['allow'] } }))
          .post('/', handler);
        await request(rules).post('/').type('text').send('upload').expect(200);
      });

      it('arguments are changed within the call', async () => {
        const changing = { routes: [{ tool: 'mail', args: { to: 'redact' } }] };
        const rules = app()
          .use(aplPolicies(changing, { transformArgs: true }))
          .post('/mcp', (req, res) => void res.json({ code: JSON.stringify(req.body) }));
        const { body } = await request(rules)
          .post('/mcp')
          .send(call('mail', { to: 'bob', n: 1 }));
        expect(JSON.parse(body.code)).to.deep.equal(call('mail', { to: '[REDACTED]', n: 1 }));
      });

      describe('results', () => {
        const chains = { routes: [{ tool: 'read', result: { ssn: 'redact' } }] };
        const person = { name: 'Ada', ssn: '123' };
        const redacted = { name: 'Ada', ssn: '[REDACTED]' };
        const text = (value: unknown) => ({ type: 'text', text: JSON.stringify(value) });
        const answerOf = async (message: object) => {
          const rules = app()
            .use(aplPolicies(chains))
            .post('/mcp', (_req, res) => void res.json({ jsonrpc: '2.0', id: 7, ...message }));
          return (await request(rules).post('/mcp').send(call('read'))).body;
        };

        it('structured content is changed, together with the text that repeats it', async () => {
          const result = { content: [text(person)], structuredContent: person, _meta: { a: 1 } };
          expect((await answerOf({ result })).result).to.deep.equal({
            content: [text(redacted)],
            structuredContent: redacted,
            _meta: { a: 1 },
          });
        });

        it('the JSON in the only text is changed', async () => {
          expect((await answerOf({ result: { content: [text(person)] } })).result.content).to.deep.equal([
            text(redacted),
          ]);
        });

        it('structured content without a text is changed', async () => {
          const { result } = await answerOf({ result: { structuredContent: person } });
          expect(result).to.deep.equal({ structuredContent: redacted });
        });

        for (const [what, result] of [
          ['a text that is no JSON', { content: [{ type: 'text', text: 'ssn 123' }] }],
          ['two texts', { content: [text(person), text(person)] }],
          ['an image', { content: [{ type: 'image', data: '123', mimeType: 'image/png' }] }],
          ['another text beside structured content', { content: [text({ ssn: '123' })], structuredContent: person }],
          ['a member that no result has', { structuredContent: person, ssn: '123' }],
          ['no content', {}],
          ['a list', [person]],
        ] as const) {
          it(`denies ${what}, which the rules cannot see`, async () => {
            expect((await answerOf({ result })).code).to.equal('policy.result_unseen');
          });
        }

        it('a call as a task, whose result another request fetches, is denied before the tool runs', async () => {
          const rules = app().use(aplPolicies(chains)).post('/mcp', handler);
          const task = { ...call('read'), params: { name: 'read', task: { ttl: 1000 } } };
          const { body } = await request(rules).post('/mcp').send(task);
          expect([body.code, handled()]).to.deep.equal(['policy.result_unseen', 0]);
          const other = { ...call('other'), params: { name: 'other', task: {} } };
          await request(rules).post('/mcp').send(other).expect(200);
        });

        it('an error of the server has no result', async () => {
          const error = { code: -32_602, message: 'unknown tool' };
          expect((await answerOf({ error })).error).to.deep.equal(error);
        });

        it('a body that is no message is denied', async () => {
          expect((await answerOf({ jsonrpc: '3', result: person })).code).to.equal('policy.result_unseen');
          expect((await answerOf({})).code).to.equal('policy.result_unseen');
        });
      });
    });

    describe('scopes and models', () => {
      const document = {
        routes: [
          { tool: 'mail', pre_invocation: ['deny("r", "any")'] },
          { tool: 'mail', meta: { scope: 'server-1' }, pre_invocation: ['deny("r", "one")'] },
          { llm: 'gpt', pre_invocation: ['deny("r", "llm")'] },
        ],
      };

      it('choose the section', async () => {
        const options = {
          scope: (req: { get(name: string): string | undefined }) => req.get('x-scope'),
          llm: async (req: { get(name: string): string | undefined }) => req.get('x-model'),
        };
        const rules = app().use(aplPolicies(document, options)).post('/', handler);
        const codeOf = async (headers: Record<string, string>, body: object) =>
          (await request(rules).post('/').set(headers).send(body)).body.code;
        expect(await codeOf({}, call('mail'))).to.equal('any');
        expect(await codeOf({ 'x-scope': 'server-1' }, call('mail'))).to.equal('one');
        expect(await codeOf({ 'x-scope': 'server-2' }, call('mail'))).to.equal('any');
        expect(await codeOf({ 'x-model': 'gpt' }, {})).to.equal('llm');
        expect(await codeOf({ 'x-model': 'other' }, {})).to.equal(undefined);
      });

      it('a name with an @ is not taken for a scope', async () => {
        const rules = app()
          .use(aplPolicies(document, { scope: () => undefined, llm: () => undefined }))
          .post('/', handler);
        await request(rules).post('/').send(call('mail@server-1')).expect(200);
      });

      it('route.key has the scope', async () => {
        const plugins = {
          key: (_call: unknown, attributes: Readonly<Record<string, unknown>>) => ({
            code: String(attributes['route.key']),
            reason: 'r',
          }),
        };
        const keyed = { global: { pre_invocation: ['plugin(key)'] }, routes: [{ tool: 'a', meta: { scope: 's' } }] };
        const rules = app()
          .use(aplPolicies(keyed, { plugins, scope: (req) => req.get('x-scope') }))
          .post('/', handler);
        const keyOf = async (scope: string, body: object) =>
          (await request(rules).post('/').set('x-scope', scope).send(body)).body.code;
        expect(await keyOf('s', call('a'))).to.equal('tool:a@s');
        expect(await keyOf('', call('b'))).to.equal('tool:b');
        expect(await keyOf('t', call('b'))).to.equal('tool:b@t');
        expect(await keyOf('', {})).to.equal('global.apl');
      });

      it('a document that needs an option is refused without it', () => {
        expect(thrownBy(() => aplPolicies(document, { llm: () => undefined })))
          .to.have.property('message')
          .that.includes("the option 'scope' is missing");
        expect(thrownBy(() => aplPolicies(document, { scope: () => undefined })))
          .to.have.property('message')
          .that.includes("the option 'llm' is missing");
      });

      it('an option that fails or returns no text denies with policy.error', async () => {
        for (const tool of [() => 5, () => Promise.reject(new Error('down'))]) {
          const rules = app()
            .use(aplPolicies({}, { tool: tool as never }))
            .post('/', handler);
          expect((await request(rules).post('/')).body.code).to.equal('policy.error');
        }
        expect([handled(), alarms.length]).to.deep.equal([0, 2]);
      });
    });

    describe('replace()', () => {
      const denying = (code: string) => ({ global: { pre_invocation: [`deny("r", "${code}")`] } });

      it('later requests get the new document', async () => {
        const policies = aplPolicies(denying('first'));
        const rules = app().use(policies).get('/', handler);
        await request(rules)
          .get('/')
          .expect(403, /"first"/);
        policies.replace(denying('second'));
        await request(rules)
          .get('/')
          .expect(403, /"second"/);
      });

      for (const [what, next, code] of [
        ['that is not valid', { global: { pre_invocaton: [] } }, 'policy.invalid_document'],
        ['that the options do not fit', { global: { pre_invocation: ['role.a: deny'] } }, 'config.invalid'],
        ['that lacks the route of a guard', {}, 'config.invalid'],
        ['that is missing', undefined, 'policy.invalid_document'],
      ] as const) {
        it(`a document ${what} changes nothing, and throws`, async () => {
          const policies = aplPolicies({ ...denying('first'), routes: [{ tool: 'mail' }] });
          apl(policies, { tool: 'mail' });
          const rules = app().use(policies).get('/', handler);
          expect(thrownBy(() => policies.replace(next))).to.have.property('code', code);
          await request(rules)
            .get('/')
            .expect(403, /"first"/);
        });
      }

      it('a request keeps its document for its response', async () => {
        const gate = deferred<void>();
        const started = deferred<void>();
        const policies = aplPolicies({ global: { post_invocation: ['deny("r", "first")'] } });
        const rules = app()
          .use(policies)
          .get('/', async (_req, res) => {
            started.resolve();
            await gate.promise;
            res.send('x');
          });
        const { port } = await listen(rules);
        const asked = fetch(`http://127.0.0.1:${port}/`);
        await started.promise;
        policies.replace({});
        gate.resolve();
        expect(await (await asked).text()).to.include('"first"');
        expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).to.equal('x');
      });

      it('under load, every request is decided by one document as a whole', async () => {
        // each document alone denies; a mixture of the two would allow
        const version = (n: number) => ({
          global: {
            pre_invocation: [`taint(v${n}, message)`, 'plugin(wait)'],
            post_invocation: [`security.labels contains "v${n}": deny("r", "v${n}")`],
          },
        });
        const plugins = {
          wait: async () => {
            await new Promise((resolve) => setImmediate(resolve));
            return { allow: true as const };
          },
        };
        const policies = aplPolicies(version(0), { plugins });
        const { port } = await listen(app().use(policies).get('/', handler));
        const codes = new Set<string>();
        let replaced = 0;
        const asking = Array.from({ length: 8 }, async () => {
          for (let n = 0; n < 10; n++) {
            const answer = await fetch(`http://127.0.0.1:${port}/`);
            codes.add(((await answer.json()) as { code: string }).code);
            policies.replace(version(++replaced));
          }
        });
        await Promise.all(asking);
        expect(codes.size).to.be.greaterThan(8);
        expect([...codes].filter((code) => !/^v\d+$/.test(String(code)))).to.deep.equal([]);
      });
    });

    describe('apl(policies, { tool })', () => {
      it('runs the rules of one route, always of the current document', async () => {
        const policies = aplPolicies({ routes: [{ tool: 'mail', pre_invocation: ['deny("r", "first")'] }] });
        const rules = app()
          .post('/mail', apl(policies, { tool: 'mail' }), handler)
          .post('/other', handler);
        await request(rules)
          .post('/mail')
          .expect(403, /"first"/);
        await request(rules).post('/other').expect(200);
        policies.replace({ routes: [{ tool: 'mail', pre_invocation: ['deny("r", "second")'] }] });
        await request(rules)
          .post('/mail')
          .expect(403, /"second"/);
      });

      it('observes if it is told to, although the policies enforce', async () => {
        const policies = aplPolicies({ routes: [{ tool: 'mail', pre_invocation: ['deny("r", "c")'] }] });
        const guard = apl(policies, { tool: 'mail', enforce: 'observe', name: 'mail' });
        await request(app().post('/', guard, handler))
          .post('/')
          .expect(200);
        expect(alarms).to.have.length(1);
        expect(alarms[0]).to.include({ alarm: 'policy_would_deny', guard: 'mail', code: 'c' });
      });

      it('has the options of the policies, unless it has its own', async () => {
        const document = { routes: [{ tool: 'mail', pre_invocation: ['deny("r", "c")'] }] };
        const observing = aplPolicies(document, { enforce: 'observe' });
        const answer = async (guard: RequestHandler) =>
          (await request(app().post('/', guard, handler)).post('/')).status;
        expect(await answer(apl(observing, { tool: 'mail' }))).to.equal(200);
        expect(await answer(apl(observing, { tool: 'mail', enforce: 'deny' }))).to.equal(403);
        const formed = aplPolicies(document, { denial: { status: 451 } });
        expect(await answer(apl(formed, { tool: 'mail' }))).to.equal(451);
        expect(await answer(apl(formed, { tool: 'mail', denial: { status: 410 } }))).to.equal(410);
      });

      it('refuses a route that the document does not have', () => {
        const policies = aplPolicies({ routes: [{ tool: 'mail' }] });
        for (const options of [
          { tool: 'mial' },
          { tool: 'mail', prompt: 'a' },
          {},
          undefined,
          { tools: 'mail' },
          { tool: 'mail', scope: 's' },
        ]) {
          expect(thrownBy(() => apl(policies, options as never))).to.have.property('code', 'config.invalid');
        }
      });
    });
  });
}

describe('aplPolicies(), construction', () => {
  it('an error names file, line and column', () => {
    const error = thrownBy(() => aplPolicies(COMPENSATION.replace('taint(secret)', 'taint("secret")'), OPTIONS));
    expect(error).to.have.property('code', 'policy.invalid_document');
    expect(error)
      .to.have.property('message')
      .that.matches(/^policies\.yaml:\d+:\d+ /);
  });

  for (const [what, document, options, message] of [
    ['an unknown option', {}, { tools: () => 'a' }, /tools/],
    ['a chain that changes an argument', { routes: [{ tool: 'a', args: { b: 'redact' } }] }, {}, /transformArgs/],
    [
      'a chain of a group that does so',
      { groups: { g: { args: { b: 'omit' } } }, routes: [{ tool: 'a', meta: { tags: ['g'] } }] },
      {},
      /transformArgs/,
    ],
    [
      'a response that frames its body',
      { global: { response: { headers: { trailer: 'a' } } } },
      {},
      /global\.apl .* trailer/,
    ],
    [
      'a role of the defaults that nothing sets',
      { global: { defaults: { prompt: { pre_invocation: ['role.a: deny'] } } } },
      {},
      /role\.\*/,
    ],
  ] as ReadonlyArray<readonly [string, object, object, RegExp]>) {
    it(`refuses ${what}`, () => {
      const error = thrownBy(() => aplPolicies(document, options));
      expect(error).to.have.property('code', 'config.invalid');
      expect(error).to.have.property('message').that.matches(message);
    });
  }
});
