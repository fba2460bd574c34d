import { once } from 'node:events';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { expect } from 'chai';
import { createApp } from '../../examples/mcp/app.js';
import { Agent } from '../../examples/mcp/client.js';
import { createServer } from '../../examples/mcp/tools.js';
import { currentSecurity } from '../../lib/context.js';
import { MemorySessionStore, type SessionStore } from '../../lib/index.js';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { rejectionOf } from '../support/eventually.js';
import { HeldStore } from '../support/held-store.js';
import { serve } from '../support/raw-http.js';
import { describeWithValkey } from '../support/valkey.js';

/** The app of the example with tools of the test, on a port, until the test is over. */
async function start(tools: () => McpServer, store: SessionStore): Promise<string> {
  const { app, close } = createApp(tools, { store, logger: { warn() {}, error() {} } });
  app.get('/probe', (_req, res) => void res.end());
  const running = await serve(app);
  cleanUp.push(close, running.close);
  return `http://127.0.0.1:${running.port}`;
}

const cleanUp: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close();
});

async function connect(origin: string, token: string): Promise<Agent> {
  const agent = await Agent.connect(origin, token);
  cleanUp.push(() => agent.close());
  return agent;
}

const text = (content: string) => ({ content: [{ type: 'text' as const, text: content }] });

describeWithValkey('MCP tools, labels in Valkey', (valkey) => {
  it('a tool that taints makes another tool denied, in its session only', async () => {
    await valkey().flush();
    const store = new ValkeySessionStore({ endpoint: valkey().url });
    cleanUp.push(() => store.close());
    const origin = await start(createServer, store);
    const [first, second] = [await connect(origin, 'alice-token'), await connect(origin, 'alice-token')];
    expect(await first.call('send_mail')).to.equal('sent');
    expect(await first.call('read_salaries')).to.equal('{"software engineer":98000}');
    expect(await first.call('send_mail')).to.equal('refused: session touched secret data');
    expect(await second.call('send_mail')).to.equal('sent');
  });
});

describe('MCP tools', () => {
  it('G6: concurrent calls of many sessions each see their own session', async () => {
    const tools = (): McpServer => {
      const server = new McpServer({ name: 'test', version: '1.0.0' });
      server.registerTool('who', {}, async (extra) => {
        const before = currentSecurity().sessionId;
        await new Promise((resolve) => setTimeout(resolve, Number(extra.requestId) % 3));
        return text(String(before === currentSecurity().sessionId && before));
      });
      return server;
    };
    const origin = await start(tools, new MemorySessionStore());
    const agents = await Promise.all(Array.from({ length: 10 }, () => connect(origin, 'alice-token')));
    const rounds = await Promise.all([1, 2, 3].map(() => Promise.all(agents.map((agent) => agent.call('who')))));
    expect(new Set(rounds[0])).to.have.property('size', 10);
    expect(rounds[0]).to.not.include('false');
    expect(rounds).to.deep.equal([rounds[0], rounds[0], rounds[0]]);
  });

  it('G2: when the store fails before the head left, the client is denied', async () => {
    const store = new HeldStore();
    const origin = await start(
      createServerThat(async () => void (await tainted())),
      store,
    );
    const agent = await connect(origin, 'alice-token');
    const answer = agent.call('work');
    await store.called();
    store.failAll(new Error('down'));
    // what the tool answered, an error of its own, is held back by the same labels
    expect(String(await rejectionOf(answer))).to.include('session.persist_failed');
  });

  describe('server-sent events', () => {
    let store: HeldStore;
    let headOut: Deferred<void>;
    let stream: EventStream;
    /** A tool that tells of its progress, so that the head of the stream is out, and then taints. */
    beforeEach(async () => {
      store = new HeldStore();
      headOut = deferred();
      const origin = await start(
        createServerThat(async (notify) => {
          await notify();
          await headOut.promise;
          currentSecurity().labels.add('secret');
        }),
        store,
      );
      stream = await EventStream.call(origin, await EventStream.initialize(origin));
      await stream.until('notifications/progress');
      headOut.resolve();
      await store.called();
      await (await fetch(`${origin}/probe`)).text();
    });

    it('G1: a tool result waits for the store when the head has left before', async () => {
      expect(stream.received).to.include('notifications/progress').and.not.to.include('worked');
      store.release();
      await stream.until('worked');
      expect(await stream.ended).to.equal('end');
    });

    it('G2: when the store fails then, the stream is cut before the result', async () => {
      store.failAll(new Error('down'));
      expect(await stream.ended).to.equal('cut');
      expect(stream.received).not.to.include('worked');
    });
  });

  describe('messages on the stream of another request', () => {
    for (const [how, work] of [
      ['wait for the labels of the tool', async () => void currentSecurity().labels.add('secret')],
      ['wait if the tool awaits persist() first', tainted],
    ] as const) {
      it(`G1: ${how}`, async () => {
        const store = new HeldStore();
        const origin = await start(createServerThat(work, true), store);
        const session = await EventStream.initialize(origin);
        const stream = await EventStream.listen(origin, session);
        const called = EventStream.call(origin, session);
        await store.called();
        await (await fetch(`${origin}/probe`)).text();
        expect(stream.received).not.to.include('a secret');
        store.release();
        await stream.until('a secret');
        await (await called).until('worked');
      });
    }
  });
});

async function tainted(): Promise<void> {
  currentSecurity().labels.add('secret');
  await currentSecurity().persist();
}

type Notify = () => Promise<void>;

/** A server with the tool `work`; `tells` makes it send a message that belongs to no request. */
function createServerThat(work: (notify: Notify) => Promise<void>, tells = false): () => McpServer {
  return () => {
    const server = new McpServer({ name: 'test', version: '1.0.0' }, { capabilities: { logging: {} } });
    server.registerTool('work', {}, async ({ sendNotification }) => {
      const params = { progressToken: 'p', progress: 1 };
      await work(() => sendNotification({ method: 'notifications/progress', params }));
      if (tells) await server.sendLoggingMessage({ level: 'info', data: 'a secret' });
      return text('worked');
    });
    return server;
  };
}

/** The event stream of one request, read as it comes. */
class EventStream {
  received = '';
  readonly ended: Promise<'end' | 'cut'>;
  readonly #arrived = new EventTarget();

  private constructor(body: AsyncIterable<Uint8Array>) {
    this.ended = this.#read(body);
  }

  static async initialize(origin: string): Promise<string> {
    const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
    const answer = await post(origin, { id: 0, method: 'initialize', params });
    await answer.text();
    return answer.headers.get('mcp-session-id') ?? '';
  }

  static async call(origin: string, session: string): Promise<EventStream> {
    const answer = await post(origin, { id: 1, method: 'tools/call', params: { name: 'work' } }, session);
    return new EventStream(answer.body as unknown as AsyncIterable<Uint8Array>);
  }

  static async listen(origin: string, session: string): Promise<EventStream> {
    const answer = await fetch(`${origin}/mcp`, { headers: headers(session) });
    expect(answer.status).to.equal(200);
    return new EventStream(answer.body as unknown as AsyncIterable<Uint8Array>);
  }

  async until(part: string): Promise<void> {
    while (!this.received.includes(part)) await once(this.#arrived, 'chunk');
  }

  async #read(body: AsyncIterable<Uint8Array>): Promise<'end' | 'cut'> {
    try {
      for await (const chunk of body) {
        this.received += Buffer.from(chunk).toString();
        this.#arrived.dispatchEvent(new Event('chunk'));
      }
      return 'end';
    } catch {
      return 'cut';
    }
  }
}

function headers(session?: string): Record<string, string> {
  return {
    accept: 'application/json, text/event-stream',
    authorization: 'Bearer alice-token',
    'content-type': 'application/json',
    ...(session !== undefined && { 'mcp-session-id': session }),
  };
}

function post(origin: string, message: object, session?: string): Promise<Response> {
  const body = JSON.stringify({ jsonrpc: '2.0', ...message });
  return fetch(`${origin}/mcp`, { method: 'POST', headers: headers(session), body });
}
