import { expect } from 'chai';
import express, { type Express, type RequestHandler } from 'express';
import request from 'supertest';
import { type AplPolicies, type AplPoliciesOptions, apl, aplPolicies } from '../../lib/apl.js';
import { rulesFixture } from './rules-fixture.js';

const DOCUMENT = { routes: [{ tool: 'send_email', pre_invocation: ['deny("r", "no_mail")'] }] };
const CODE = 'APL_TOOL_RULES_UNUSED';

const message = (method: string, params?: object) => ({ jsonrpc: '2.0', id: 1, method, ...(params && { params }) });
const callOf = (name: string) => message('tools/call', { name });

describe('rules for tools that no request gets', () => {
  const { app, handler } = rulesFixture(express);
  const warnings: string[] = [];
  const collect = (warning: Error & { code?: string }): void => {
    if (warning.code === CODE) warnings.push(warning.message);
  };
  beforeEach(() => {
    warnings.length = 0;
    process.on('warning', collect);
  });
  afterEach(() => void process.off('warning', collect));

  const behind = (policies: RequestHandler, session?: string): Express => {
    const rules = session === '' ? app(undefined, { session: () => undefined }) : app();
    return rules.use(policies).all('/{*path}', handler);
  };
  const restApp = (options?: AplPoliciesOptions, document: object = DOCUMENT): Express =>
    behind(aplPolicies(document, options));
  /** Node emits warnings after the current call stack, which is before the answer arrives. */
  const email = (rules: Express) => request(rules).post('/email').send({ to: 'bob' }).expect(200);

  it('a REST app without the option tool is warned once, with the fix', async () => {
    const rules = restApp({ name: 'rules of mail' });
    await email(rules);
    await email(rules);
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.include('rules of mail: ').and.to.include('the option tool: (req) =>');
    expect(warnings[0]).to.include("apl(policies, { tool: '...' })").and.to.include('tool: () => undefined');
  });

  it('so is one whose tools are read by GET in a session, or have only defaults', async () => {
    await request(restApp()).get('/salaries').expect(200);
    await email(restApp({}, { global: { defaults: { tool: { pre_invocation: ['deny'] } } } }));
    expect(warnings).to.have.length(2);
  });

  it('so is one whose document gets these rules only by replace()', async () => {
    const policies = aplPolicies({ global: { pre_invocation: ['http.method == "TRACE": deny'] } });
    const rules = behind(policies);
    await email(rules);
    expect(warnings).to.deep.equal([]);
    policies.replace(DOCUMENT);
    await email(rules);
    expect(warnings).to.have.length(1);
  });

  it('a call of a tool that the document does not have proves nothing', async () => {
    const rules = restApp();
    await request(rules).post('/').send(callOf('other')).expect(200);
    await email(rules);
    expect(warnings).to.have.length(1);
  });

  it('an app that has served a call of such a tool is not warned', async () => {
    const rules = restApp();
    await request(rules).post('/mcp').send(callOf('send_email')).expect(403);
    await email(rules);
    await request(rules).get('/admin').expect(200);
    expect(warnings).to.deep.equal([]);
  });

  it('nor is one that has served a call of a tool with a scope', async () => {
    const document = { routes: [{ ...DOCUMENT.routes[0], meta: { scope: 'mail' } }] };
    const rules = restApp({ scope: (req) => req.get('x-scope') }, document);
    await request(rules).post('/mcp').set('x-scope', 'mail').send(callOf('send_email')).expect(403);
    await email(rules);
    expect(warnings).to.deep.equal([]);
  });

  it('an MCP app is not warned before its first call', async () => {
    const rules = restApp();
    for (const body of [message('initialize', {}), { jsonrpc: '2.0', method: 'notifications/initialized' }]) {
      await request(rules).post('/mcp').send(body).expect(200);
    }
    await request(rules)
      .post('/mcp')
      .send([message('tools/list'), message('ping')])
      .expect(200);
    await request(rules).get('/mcp').set('accept', 'text/event-stream').expect(200);
    await request(rules).delete('/mcp').set('mcp-protocol-version', '2025-06-18').expect(200);
    await request(rules).options('/mcp').expect(200);
    expect(warnings).to.deep.equal([]);
  });

  it('health checks and pages without a session do not warn', async () => {
    const rules = behind(aplPolicies(DOCUMENT), '');
    await request(rules).get('/healthz').expect(200);
    await request(rules).head('/healthz').expect(200);
    expect(warnings).to.deep.equal([]);
    // a tool without a session is one nevertheless
    await email(rules);
    expect(warnings).to.have.length(1);
  });

  it('the option tool, also one that returns nothing, ends the question', async () => {
    await email(restApp({ tool: () => undefined }));
    expect(warnings).to.deep.equal([]);
  });

  it('so does a guard that runs a route of the document', async () => {
    const policies: AplPolicies = aplPolicies(DOCUMENT);
    const rules = app()
      .use(policies)
      .post('/mail', apl(policies, { tool: 'send_email' }), handler);
    await email(rules.post('/email', handler));
    expect(warnings).to.deep.equal([]);
  });

  it('a document without rules for tools has nothing to warn about', async () => {
    await email(restApp({}, { routes: [{ prompt: 'draft', pre_invocation: ['deny'] }] }));
    expect(warnings).to.deep.equal([]);
  });
});
