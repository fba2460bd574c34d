import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { type EventStore, StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { expect } from 'chai';
import { currentSecurity, type writeAhead } from '../../lib/context.js';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { LABEL, probed, SALARY, SwitchedApp } from '../support/switched-app.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`results of MCP tools, ${version}`, () => {
    const running = new SwitchedApp(express);

    const text = (content: string) => ({ content: [{ type: 'text' as const, text: content }] });
    let wrap: typeof writeAhead;
    beforeEach(() => {
      wrap =
        (handler) =>
        async (...args) =>
          handler(...args);
    });

    function toolServer(before: Promise<void>): McpServer {
      const server = new McpServer({ name: 'test', version: '1' });
      const read = async () => {
        await before;
        currentSecurity().labels.add(LABEL);
        return text(SALARY);
      };
      server.registerTool('read', { description: 'd' }, () => wrap(read)());
      return server;
    }

    /** Keeps every message of a transport, for clients that come back. */
    class Events implements EventStore {
      readonly all: Array<{ streamId: string; message: unknown }> = [];

      async storeEvent(streamId: string, message: unknown): Promise<string> {
        return String(this.all.push({ streamId, message }));
      }

      async replayEventsAfter(
        last: string,
        { send }: { send: (id: string, message: never) => Promise<void> },
      ): Promise<string> {
        const { streamId } = this.all[Number(last) - 1] ?? { streamId: '' };
        for (const [n, event] of this.all.entries()) {
          if (n >= Number(last) && event.streamId === streamId) await send(String(n + 1), event.message as never);
        }
        return streamId;
      }
    }

    const JSON_RPC = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    const call = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'read', arguments: {} },
    });
    const initialize = JSON.stringify({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
    });

    describe('a transport with an event store', () => {
      let headers: Record<string, string>;
      let headOut: ReturnType<typeof deferred<void>>;
      let events: Events;
      beforeEach(async () => {
        headOut = deferred();
        events = new Events();
        const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => 'mcp', eventStore: events });
        await toolServer(headOut.promise).connect(transport as Parameters<McpServer['connect']>[0]);
        running.cleanUp(() => transport.close());
        await running.start((app) => {
          app.get('/probe', probed);
          app.all('/mcp', (req, res) => transport.handleRequest(req, res, req.body));
        });
        await running.ask('/mcp', { method: 'POST', headers: JSON_RPC, body: initialize });
        headers = { ...JSON_RPC, 'mcp-session-id': 'mcp', 'mcp-protocol-version': '2025-11-25' };
      });

      /** Calls the tool, whose head and first event are out when it taints. Returns the id of that event. */
      async function callCut(): Promise<string> {
        const answer = await fetch(`${running.origin}/mcp`, { method: 'POST', headers, body: call });
        let seen = '';
        headOut.resolve();
        try {
          for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) seen += Buffer.from(chunk);
        } catch {
          // cut
        }
        expect(seen).not.to.include(SALARY);
        return /^id: (.*)$/m.exec(seen)?.[1] ?? '';
      }

      it('G1: a client that resumes after a denied result is checked again', async () => {
        running.store.mode = 'fails';
        const last = await callCut();
        expect(last).not.to.equal('');
        await eventually(() => events.all.some(({ message }) => JSON.stringify(message).includes(SALARY)));
        const again = () => fetch(`${running.origin}/mcp`, { headers: { ...headers, 'last-event-id': last } });
        const refused = await again();
        expect(refused.status).to.equal(403);
        expect(await refused.text()).not.to.include(SALARY);
        running.store.mode = 'works';
        const replayed = await again();
        expect(replayed.status).to.equal(200);
        expect([...running.store.stored]).to.deep.equal([LABEL]);
        await replayed.body?.cancel();
      });
    });

    describe('the older transport, which sends results through the GET', () => {
      beforeEach(async () => {
        await running.start((app) => {
          app.get('/probe', probed);
          let transport: SSEServerTransport | undefined;
          app.get('/sse', async (_req, res) => {
            transport = new SSEServerTransport('/messages', res);
            await toolServer(Promise.resolve()).connect(transport as Parameters<McpServer['connect']>[0]);
          });
          app.post('/messages', (req, res) => transport?.handlePostMessage(req, res, req.body));
        });
      });

      async function open(): Promise<{
        received: () => string;
        ended: Promise<void>;
        post: (body: string) => Promise<void>;
      }> {
        let received = '';
        const answer = await fetch(`${running.origin}/sse`);
        const read = async (): Promise<void> => {
          for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) received += Buffer.from(chunk);
        };
        const ended = read().catch(() => {});
        await eventually(() => /data: (\/messages\S*)/.test(received));
        const path = /data: (\/messages\S*)/.exec(received)?.[1] ?? '';
        const post = async (body: string) =>
          void (await running.ask(path, { method: 'POST', headers: JSON_RPC, body }));
        await post(initialize);
        await eventually(() => received.includes('"id":0'));
        return { received: () => received, ended, post };
      }

      it('G1: a result waits until the label of its tool is stored', async () => {
        const { received, post } = await open();
        running.store.mode = 'waits';
        await post(call);
        await eventually(() => running.store.appends.length === 1);
        await running.probe();
        expect(received()).not.to.include(SALARY);
        running.store.release();
        await eventually(() => received().includes(SALARY));
      });

      it('G2: if the append fails, the stream is cut without the result', async () => {
        const { received, post, ended } = await open();
        running.store.mode = 'fails';
        await post(call);
        await ended;
        expect(received()).not.to.include(SALARY);
      });
    });
  });
}
