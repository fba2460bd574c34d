import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { expect } from 'chai';
import { aplPolicies } from '../../lib/apl.js';
import { jsonRpcDenial, type SessionStore } from '../../lib/index.js';
import { rejectionOf } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { failingStore, RememberingStore, rulesFixture } from './rules-fixture.js';

const DOCUMENT = `
groups:
  outgoing:
    pre_invocation:
      - "security.labels contains \\"secret\\": deny('session touched secret data', 'session_tainted')"
routes:
  - tool: read_salaries
    pre_invocation: [taint(secret)]
  - tool: late_salaries
    post_invocation: [taint(secret)]
  - tool: read_person
    result: { ssn: "str | mask(4)", "address.zip": redact }
  - tool: send_mail
    meta: { tags: [outgoing] }
    args: { to: "str | len(1..20)" }
`;
const PERSON = { name: 'Ada', ssn: '123-45-6789', address: { zip: '75001' } };

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`rules for tools of the MCP SDK, ${version}`, () => {
    const { alarms, app, listen } = rulesFixture(express);
    const cleanUp: Array<() => Promise<void>> = [];
    let calls: string[] = [];
    beforeEach(() => {
      calls = [];
    });
    afterEach(async () => {
      for (const close of cleanUp.splice(0).reverse()) await close();
    });

    function createServer(): McpServer {
      const server = new McpServer({ name: 'test', version: '1' });
      const tool = (name: string, result: object) =>
        server.registerTool(name, {}, async () => {
          calls.push(name);
          return { content: [{ type: 'text' as const, text: JSON.stringify(result) }] };
        });
      tool('read_salaries', { engineer: 98_000 });
      tool('late_salaries', { engineer: 98_000 });
      tool('read_person', PERSON);
      tool('send_mail', { sent: true });
      return server;
    }

    /** A client whose server answers with event streams, or with JSON. */
    async function connect(store: SessionStore, enableJsonResponse = false): Promise<Client> {
      const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => 'mcp', enableJsonResponse });
      await createServer().connect(transport as Parameters<McpServer['connect']>[0]);
      const policies = aplPolicies(DOCUMENT, { denial: jsonRpcDenial({ status: 200 }) });
      const { port } = await listen(
        app(store, { denial: jsonRpcDenial({ status: 200 }) })
          .use(policies)
          .all('/mcp', (req, res) => transport.handleRequest(req, res, req.body)),
      );
      const client = new Client({ name: 'agent', version: '1' });
      const url = new URL(`http://127.0.0.1:${port}/mcp`);
      await client.connect(new StreamableHTTPClientTransport(url) as Parameters<Client['connect']>[0]);
      cleanUp.push(
        () => transport.close(),
        () => client.close(),
      );
      return client;
    }

    const answer = async (client: Client, name: string, args: Record<string, unknown> = {}) => {
      const { content } = await client.callTool({ name, arguments: args });
      return JSON.parse((content as ReadonlyArray<{ text: string }>)[0]?.text ?? '') as unknown;
    };

    for (const [how, isJson] of [
      ['event streams', false],
      ['JSON', true],
    ] as const) {
      describe(`answers as ${how}`, () => {
        it('a tool that taints makes another tool refused, with code and reason', async () => {
          const client = await connect(new RememberingStore(), isJson);
          expect(await answer(client, 'send_mail', { to: 'bob' })).to.deep.equal({ sent: true });
          await answer(client, 'read_salaries');
          const error = await rejectionOf(answer(client, 'send_mail', { to: 'bob' }));
          expect(error).to.have.property('message').that.includes('session touched secret data');
          expect(error).to.have.nested.property('data.code', 'session_tainted');
          expect(calls).to.deep.equal(['send_mail', 'read_salaries']);
        });

        it('arguments are checked before the tool runs', async () => {
          const client = await connect(new RememberingStore(), isJson);
          const error = await rejectionOf(answer(client, 'send_mail', { to: 'x'.repeat(21) }));
          expect(error).to.have.nested.property('data.code', 'routes.tool:send_mail.apl.args.to');
          expect(calls).to.deep.equal([]);
        });

        it('G1: a label of post_invocation is stored before the result leaves', async () => {
          const store = new RememberingStore();
          await answer(await connect(store, isJson), 'late_salaries');
          expect(store.appended).to.deep.equal(['secret']);
        });

        it('G2: no result leaves if the label cannot be stored', async () => {
          const client = await connect(failingStore(), isJson);
          for (const tool of ['read_salaries', 'late_salaries']) {
            const error = await rejectionOf(answer(client, tool));
            expect(error).to.have.nested.property('data.code', 'session.persist_failed');
          }
          expect(calls).to.not.include('read_salaries');
        });

        it('other methods of MCP go on', async () => {
          const client = await connect(new RememberingStore('secret'), isJson);
          expect((await client.listTools()).tools).to.have.length(4);
          expect(alarms).to.deep.equal([]);
        });
      });
    }

    it('chains change the JSON result of a tool', async () => {
      const client = await connect(new RememberingStore(), true);
      expect(await answer(client, 'read_person')).to.deep.equal({
        name: 'Ada',
        ssn: '*******6789',
        address: { zip: '[REDACTED]' },
      });
    });

    it('an event stream, whose result the rules cannot see, is denied with an alarm', async () => {
      const error = await rejectionOf(answer(await connect(new RememberingStore()), 'read_person'));
      expect(error).to.have.nested.property('data.code', 'policy.result_unseen');
      expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['policy_error']);
    });
  });
}
