import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { type CallToolResult, McpError } from '@modelcontextprotocol/sdk/types.js';
import { expect } from 'chai';
import express from 'express';
import { aplSessionMiddleware, denyIf, jsonRpcDenial } from '../../lib/index.js';
import { instancesIn } from '../support/denial-instance.js';
import { rejectionOf } from '../support/eventually.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { serve } from '../support/raw-http.js';

describe('jsonRpcDenial, client of the MCP SDK', () => {
  const text = (content: string): CallToolResult => ({ content: [{ type: 'text', text: content }] });
  const cleanUp: Array<() => Promise<void>> = [];
  afterEach(async () => {
    for (const clean of cleanUp.splice(0).reverse()) await clean();
  });

  async function connect(status: number): Promise<Client> {
    const denial = jsonRpcDenial({ status });
    const guard = denyIf(
      (req) => req.body?.params?.name === 'mail',
      { code: 'tainted', reason: 'no mail' },
      { denial },
    );
    const app = express().use(
      express.json(),
      aplSessionMiddleware({ session: () => 's', store: new ScriptedStore() }),
      guard,
      async (req, res) => {
        const server = new McpServer({ name: 'test', version: '1.0.0' });
        for (const tool of ['mail', 'other']) server.registerTool(tool, {}, () => text(tool));
        const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
        await server.connect(transport as Transport);
        await transport.handleRequest(req, res, req.body);
      },
    );
    const { port, close } = await serve(app);
    const client = new Client({ name: 'test', version: '1.0.0' });
    cleanUp.push(close, () => client.close());
    await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/`)) as Transport);
    return client;
  }

  it('with status 200 the call rejects with the error, code and data', async () => {
    const client = await connect(200);
    const error = await rejectionOf(client.callTool({ name: 'mail' }));
    expect(error).to.be.instanceOf(McpError);
    const { data, code } = error as McpError & { data: { instance: string } };
    expect({ code, data }).to.deep.equal({ code: -32003, data: { code: 'tainted', instance: data.instance } });
    expect(instancesIn(data.instance)).to.have.length(1);
    expect(await client.callTool({ name: 'other' })).to.deep.equal(text('other'));
  });

  it('with status 403 it rejects with an error whose message has the body', async () => {
    const client = await connect(403);
    const error = (await rejectionOf(client.callTool({ name: 'mail' }))) as Error;
    expect(error).to.be.instanceOf(StreamableHTTPError);
    expect(error.message).to.include('"message":"no mail"').and.to.include('"code":"tainted"');
    expect(await client.callTool({ name: 'other' })).to.deep.equal(text('other'));
  });
});
