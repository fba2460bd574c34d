import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type CliRun, runCli } from './run-cli.js';

const DOCUMENT = `global:
  pre_invocation:
    - "http.method == 'DELETE': deny('read only', 'read_only')"
routes:
  - tool: read_salaries
    pre_invocation: ["require(role.hr)", "taint(secret)"]
  - tool: send_email
    pre_invocation:
      - "security.labels contains 'secret': deny('session touched secret data', 'session_tainted')"
  - tool: audit
    pre_invocation:
      - "plugin(office)"
      - "tenant == 'acme': deny"
`;
const APP = ['--attribute', 'tenant', '--plugin', 'office'];

describe('apl on the command line', function () {
  this.timeout(60_000);
  let folder: string;
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const apl = (...args: string[]): Promise<CliRun> => runCli(['apl', ...args]);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'express-apl-session-apl-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  describe('check', () => {
    it('lists routes, with the requests that get them and what they read', async () => {
      const run = await apl('check', write('valid.yaml', DOCUMENT), ...APP);
      expect(run).to.deep.equal({
        code: 0,
        stderr: '',
        stdout: [
          'valid',
          '  global.apl          all others           pre_invocation  http.method',
          '  tool:read_salaries  MCP, or option tool  pre_invocation  http.method, role.hr',
          '  tool:send_email     MCP, or option tool  pre_invocation  http.method, security.labels',
          '  tool:audit          MCP, or option tool  pre_invocation  http.method, tenant',
          '',
          "Without the option tool of aplPolicies(), a request that is no call of MCP gets only global.apl. The guard apl(policies, { tool: '...' }) on a route runs the rules of a tool as well.",
          '',
        ].join('\n'),
      });
    });

    it('marks the place of a fault, with the fix', async () => {
      const file = write('misspelt.yaml', DOCUMENT.replace('security.labels', 'securty.labels'));
      const { code, stdout } = await apl('check', file, ...APP);
      expect(code).to.equal(2);
      const [message, line = '', mark = ''] = stdout.split('\n');
      expect(message).to.include('not valid misspelt.yaml:9:10').and.to.include('Did you mean security.labels?');
      expect(line).to.equal(`  9 | ${DOCUMENT.split('\n')[8]?.replace('security.labels', 'securty.labels')}`);
      expect(line.slice(mark.indexOf('^'))).to.match(/^securty\.labels/);
    });

    it('knows the status of the response, which the guards set', async () => {
      const text = "global: { post_invocation: ['http.response_status == 500: deny'] }\n";
      expect((await apl('check', write('status.yaml', text))).code).to.equal(0);
    });

    it('needs the names of what the app passes', async () => {
      const file = write('undeclared.yaml', DOCUMENT);
      expect((await apl('check', file, '--plugin', 'office')).stdout).to.include('Unknown attribute tenant');
      expect((await apl('check', file, '--attribute', 'tenant')).stdout).to.include('office');
    });

    it('--json has the same, for both answers', async () => {
      const valid = JSON.parse((await apl('check', write('valid.yaml', DOCUMENT), ...APP, '--json')).stdout);
      expect(valid.valid).to.equal(true);
      expect(valid.routes[2]).to.deep.equal({
        route: 'tool:send_email',
        parts: ['pre_invocation'],
        reads: ['http.method', 'security.labels'],
        requests: 'MCP, or option tool',
      });
      const run = await apl('check', write('misspelt.json', '{"global": {"pre_invocaton": []}}'), '--json');
      expect(run.code).to.equal(2);
      expect(JSON.parse(run.stdout)).to.include({ valid: false, line: 1, column: 14 });
    });

    it('a file that is not there, and a call without a file, are wrong calls', async () => {
      const missing = await apl('check', join(folder, 'none.yaml'));
      expect(missing).to.include({ code: 3, stdout: '' });
      expect(missing.stderr).to.include('The file none.yaml cannot be read: ENOENT');
      expect((await apl('check')).code).to.equal(3);
    });
  });

  describe('explain', () => {
    const explain = (attributes: object | string, ...args: string[]): Promise<CliRun> => {
      const text = typeof attributes === 'string' ? attributes : JSON.stringify(attributes);
      return apl('explain', write('policy.yaml', DOCUMENT), '--with', write('attributes.json', text), ...APP, ...args);
    };

    it('shows the rules of a tool that ran, and exits with 1 for a denial', async () => {
      const run = await explain({ 'security.labels': ['secret', 'PII-of-bob'] }, '--tool', 'send_email');
      expect(run.code).to.equal(1);
      expect(run.stdout)
        .to.match(/^tool:send_email\n/)
        .and.to.match(/deny session_tainted: session touched secret data\n$/);
      expect(run.stdout).to.include("true  security.labels contains 'secret'").and.to.include('policy.yaml:9:10');
      expect(run.stdout).to.not.include('PII-of-bob');
    });

    it('shows taints, and exits with 0 if the request is allowed', async () => {
      const run = await explain({ 'role.hr': true }, '--tool', 'read_salaries');
      expect(run.code).to.equal(0);
      expect(run.stdout)
        .to.include('taint "secret" (session)')
        .and.to.match(/\nallow\n$/);
    });

    it('says that the document has no route for a tool', async () => {
      const run = await explain({}, '--tool', 'send_emial');
      expect(run.stdout).to.include('The document has no route for this tool');
      const { note } = JSON.parse((await explain({}, '--tool', 'send_emial', '--json')).stdout);
      expect(note).to.include('The document has no route for this tool');
      expect((await explain({}, '--tool', 'send_email')).stdout).to.not.include('no route');
    });

    it('without a tool it explains the rules for plain HTTP, also as JSON', async () => {
      const run = await explain({ 'http.method': 'DELETE' }, '--json');
      expect(run.code).to.equal(1);
      const { route, decision } = JSON.parse(run.stdout);
      expect([route, decision.code]).to.deep.equal(['global.apl', 'read_only']);
    });

    it('a plugin of the app cannot run here, and denies', async () => {
      const run = await explain({}, '--tool', 'audit');
      expect([run.code, run.stdout.includes('deny plugin:office')]).to.deep.equal([1, true]);
    });

    for (const [what, attributes] of [
      ['text that is not JSON', '{'],
      ['a list', '[]'],
      ['a value of a wrong type', '{"http.method": {"a": 1}}'],
    ] as const) {
      it(`attributes that are ${what} are a wrong call`, async () => {
        const run = await explain(attributes);
        expect([run.code, run.stdout]).to.deep.equal([3, '']);
        expect(run.stderr).to.match(/^error: /);
      });
    }
  });
});
