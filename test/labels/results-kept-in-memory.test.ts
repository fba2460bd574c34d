import { AsyncLocalStorage } from 'node:async_hooks';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { type EventStore, StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createSession } from 'better-sse';
import { expect } from 'chai';
import type { Express, RequestHandler } from 'express';
import { currentSecurity, securityContext, writeAhead } from '../../lib/context.js';
import { type Alarm, aplSessionMiddleware, denyIf, openSession, type SessionStore } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { eventually, rejectionOf } from '../support/eventually.js';
import { EXPRESS_VERSIONS, type ExpressModule } from '../support/express-versions.js';
import { serve } from '../support/raw-http.js';

const SALARY = 'salary 98000';
const LABEL = 'secret';
const VIOLATION = { code: 'session_tainted', reason: 'session touched secret data' };

/** A store in memory whose appends the test lets succeed, fail or wait. */
class SwitchedStore implements SessionStore {
  readonly stored = new Set<string>();
  readonly appends: Array<readonly string[]> = [];
  mode: 'works' | 'fails' | 'waits' = 'works';
  #release = deferred<void>();

  /** Only the session of Alice has labels. */
  async loadLabels(id: string): Promise<string[]> {
    return id === 'bob' ? [] : [...this.stored];
  }

  async appendLabels(_id: string, labels: readonly string[]): Promise<void> {
    this.appends.push(labels);
    if (this.mode === 'waits') await this.#release.promise;
    if (this.mode === 'fails') throw new Error('down');
    for (const label of labels) this.stored.add(label);
  }

  release(): void {
    this.mode = 'works';
    this.#release.resolve();
  }
}

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`what a process keeps of a held or refused answer, ${version}`, () => {
    let store: SwitchedStore;
    let alarms: Alarm[];
    let origin: string;
    const cleanUp: Array<() => unknown> = [];

    beforeEach(() => {
      store = new SwitchedStore();
      alarms = [];
    });
    afterEach(async () => {
      store.release();
      for (const clean of cleanUp.splice(0).reverse()) await clean();
    });

    async function start(build: (app: Express, express: ExpressModule) => void): Promise<void> {
      const app = express().set('env', 'test');
      const apl = aplSessionMiddleware({
        session: (req) => req.get('x-session') ?? 'alice',
        store,
        storeTimeoutMs: 60_000,
        logger: { warn() {}, error() {} },
        onAlarm: (alarm) => void alarms.push(alarm),
      });
      app.use(express.json(), apl, securityContext());
      build(app, express);
      const running = await serve(app);
      origin = `http://127.0.0.1:${running.port}`;
      cleanUp.push(running.close);
    }

    const ask = async (path: string, init: RequestInit = {}) => {
      const answer = await fetch(origin + path, init);
      return { status: answer.status, text: await answer.text() };
    };
    /** A request of another session, which nothing holds: what was sent before has arrived when it is answered. */
    const probe = () => ask('/probe', { headers: { 'x-session': 'bob' } });
    const probed: RequestHandler = (_req, res) => void res.send('probed');

    describe('a response cache', () => {
      let handled: number;
      let others: number;
      beforeEach(async () => {
        handled = 0;
        others = 0;
        const cache = new Map<string, unknown>();
        await start((app) => {
          app.get('/probe', probed);
          app.use((req, res, next) => {
            if (cache.has(req.path)) {
              res.json(cache.get(req.path));
              return;
            }
            const json = res.json.bind(res);
            res.json = (body) => {
              cache.set(req.path, body);
              return json(body);
            };
            next();
          });
          app.get('/salary', (req, res) => {
            handled += 1;
            req.security.labels.add(LABEL);
            res.json(SALARY);
          });
          app.get('/other', (_req, res) => {
            others += 1;
            res.end();
          });
          app.get('/mail', denyIf(LABEL, VIOLATION), (_req, res) => void res.send('sent'));
        });
      });

      it('G1: while the append waits, no other answer of the session has what the first one had', async () => {
        store.mode = 'waits';
        const first = ask('/salary');
        await eventually(() => store.appends.length === 1);
        const second = ask('/salary');
        await probe();
        expect(await Promise.race([first, second, probe()])).to.include({ text: 'probed' });
        store.release();
        expect(await first).to.include({ status: 200 });
        expect(await second).to.include({ status: 200 });
        expect(handled).to.equal(1);
        expect(await ask('/mail')).to.include({ status: 403 });
      });

      it('G1: after a failed append the next request stores the label first, or is refused', async () => {
        store.mode = 'fails';
        expect(await ask('/salary')).to.include({ status: 403 });
        const refused = await ask('/salary');
        expect(refused.status).to.equal(403);
        expect(refused.text).to.include('session.persist_failed').and.not.to.include(SALARY);
        expect(handled).to.equal(1);
        expect(alarms.map((alarm) => 'op' in alarm && alarm.op)).to.deep.equal(['append', 'append']);
        store.mode = 'works';
        expect(await ask('/salary')).to.include({ status: 200 });
        expect([...store.stored]).to.deep.equal([LABEL]);
        expect(await ask('/mail')).to.include({ status: 403 });
      });

      it('G2: a request of a session that owes a label is refused before any handler', async () => {
        store.mode = 'fails';
        await ask('/salary');
        expect((await ask('/other')).text).to.include('session.persist_failed');
        expect(others).to.equal(0);
        store.mode = 'works';
        expect(await ask('/other')).to.include({ status: 200 });
        expect(others).to.equal(1);
      });

      it('G5: a label that the store has lost refuses all the same, and is stored again', async () => {
        expect(await ask('/salary')).to.include({ status: 200 });
        store.stored.clear();
        expect(await ask('/mail')).to.include({ status: 403 });
        expect([...store.stored]).to.deep.equal([LABEL]);
        store.stored.clear();
        store.mode = 'fails';
        expect((await ask('/other')).text).to.include('session.persist_failed');
        expect(others).to.equal(0);
      });

      it('G7: a session that owes a label does not touch others', async () => {
        store.mode = 'fails';
        await ask('/salary');
        expect(await probe()).to.include({ status: 200, text: 'probed' });
      });
    });

    describe('an answer that goes out by another response of the session', () => {
      /** The stream that a client has open, as text. */
      let received: string;
      let ended: Promise<unknown>;

      async function listen(path: string): Promise<void> {
        received = '';
        const answer = await fetch(origin + path);
        expect(answer.status).to.equal(200);
        const read = async (): Promise<void> => {
          for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
            received += Buffer.from(chunk).toString();
          }
        };
        ended = read().catch(() => {});
      }

      beforeEach(async () => {
        await start((app) => {
          app.get('/probe', probed);
          let push: ((data: string) => void) | undefined;
          app.get('/events', async (req, res) => {
            const session = await createSession(req, res);
            push = (data) => void session.push(data);
            push('hello');
          });
          app.post('/salary', (req, res) => {
            req.security.labels.add(LABEL);
            push?.(SALARY);
            res.status(202).end();
          });
          app.post('/later', (_req, res) => {
            push?.('later');
            res.status(202).end();
          });
        });
        await listen('/events');
        await eventually(() => received.includes('hello'));
      });

      it('G1: an event stream holds what another request of the session has tainted, and then goes on', async () => {
        store.mode = 'waits';
        const posted = ask('/salary', { method: 'POST' });
        await eventually(() => store.appends.length === 1);
        await probe();
        expect(received).not.to.include(SALARY);
        store.release();
        expect(await posted).to.include({ status: 202 });
        await eventually(() => received.includes(SALARY));
        await ask('/later', { method: 'POST' });
        await eventually(() => received.includes('later'));
      });

      it('G2: if the append fails, the stream is cut without it', async () => {
        store.mode = 'fails';
        expect(await ask('/salary', { method: 'POST' })).to.include({ status: 403 });
        await ended;
        expect(received).to.include('hello').and.not.to.include(SALARY);
        expect(alarms).to.have.length(1);
      });
    });

    describe('the async context', () => {
      it('G6: a response that another request has held and released ends in the context of its own', async () => {
        const requests = new AsyncLocalStorage<string>();
        const seen: unknown[] = [];
        const begun = deferred<void>();
        const goOn = deferred<void>();
        await start((app) => {
          app.get('/probe', probed);
          app.use((req, _res, next) => requests.run(req.path, next));
          app.get('/clean', async (_req, res) => {
            res.on('finish', () => seen.push(requests.getStore()));
            begun.resolve();
            await goOn.promise;
            res.end('clean', () => seen.push(requests.getStore()));
          });
          app.get('/salary', (req, res) => {
            req.security.labels.add(LABEL);
            res.send(SALARY);
          });
        });
        store.mode = 'waits';
        const clean = ask('/clean');
        await begun.promise;
        const salary = ask('/salary');
        await eventually(() => store.appends.length === 1);
        goOn.resolve();
        await probe();
        expect(seen).to.deep.equal([]);
        store.release();
        await Promise.all([clean, salary]);
        expect(seen).to.deep.equal(['/clean', '/clean']);
      });
    });

    describe('MCP', () => {
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
          cleanUp.push(() => transport.close());
          await start((app) => {
            app.get('/probe', probed);
            app.all('/mcp', (req, res) => transport.handleRequest(req, res, req.body));
          });
          await ask('/mcp', { method: 'POST', headers: JSON_RPC, body: initialize });
          headers = { ...JSON_RPC, 'mcp-session-id': 'mcp', 'mcp-protocol-version': '2025-11-25' };
        });

        /** Calls the tool, whose head and first event are out when it taints. Returns the id of that event. */
        async function callCut(): Promise<string> {
          const answer = await fetch(`${origin}/mcp`, { method: 'POST', headers, body: call });
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

        it('G1: a client that comes back for a refused result meets the label first', async () => {
          store.mode = 'fails';
          const last = await callCut();
          expect(last).not.to.equal('');
          await eventually(() => events.all.some(({ message }) => JSON.stringify(message).includes(SALARY)));
          const again = () => fetch(`${origin}/mcp`, { headers: { ...headers, 'last-event-id': last } });
          const refused = await again();
          expect(refused.status).to.equal(403);
          expect(await refused.text()).not.to.include(SALARY);
          store.mode = 'works';
          const replayed = await again();
          expect(replayed.status).to.equal(200);
          expect([...store.stored]).to.deep.equal([LABEL]);
          await replayed.body?.cancel();
        });
      });

      describe('the transport of older clients, whose results leave by the GET', () => {
        beforeEach(async () => {
          await start((app) => {
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
          const answer = await fetch(`${origin}/sse`);
          const read = async (): Promise<void> => {
            for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>)
              received += Buffer.from(chunk);
          };
          const ended = read().catch(() => {});
          await eventually(() => /data: (\/messages\S*)/.test(received));
          const path = /data: (\/messages\S*)/.exec(received)?.[1] ?? '';
          const post = async (body: string) => void (await ask(path, { method: 'POST', headers: JSON_RPC, body }));
          await post(initialize);
          await eventually(() => received.includes('"id":0'));
          return { received: () => received, ended, post };
        }

        it('G1: a result waits until the label of its tool is stored', async () => {
          const { received, post } = await open();
          store.mode = 'waits';
          await post(call);
          await eventually(() => store.appends.length === 1);
          await probe();
          expect(received()).not.to.include(SALARY);
          store.release();
          await eventually(() => received().includes(SALARY));
        });

        it('G2: if the append fails, the stream is cut without the result', async () => {
          const { received, post, ended } = await open();
          store.mode = 'fails';
          await post(call);
          await ended;
          expect(received()).not.to.include(SALARY);
        });
      });
    });

    describe('writeAhead()', () => {
      let results: string[];
      let wrapped: (fails: boolean) => Promise<string>;
      beforeEach(async () => {
        results = [];
        wrapped = writeAhead(async (fails: boolean) => {
          currentSecurity().labels.add(LABEL);
          if (fails) throw new Error(SALARY);
          return SALARY;
        });
        await start((app) => {
          app.get('/tool', async (req, res) => {
            const result = await wrapped(req.query['fails'] === 'yes').catch(
              (error) => `error ${error.code ?? error.message}`,
            );
            results.push(result);
            res.end('over');
          });
        });
      });

      it('G1: a result is handed on only once its labels are stored', async () => {
        store.mode = 'waits';
        const answer = ask('/tool');
        await eventually(() => store.appends.length === 1);
        expect(results).to.deep.equal([]);
        store.release();
        await answer;
        expect(results).to.deep.equal([SALARY]);
      });

      it('G2: if they cannot be stored, there is no result', async () => {
        store.mode = 'fails';
        await ask('/tool');
        expect(results).to.deep.equal(['error session.persist_failed']);
      });

      it('G2: nor is there the error of the handler, whose text may be data', async () => {
        store.mode = 'fails';
        await ask('/tool?fails=yes');
        expect(results).to.deep.equal(['error session.persist_failed']);
        store.mode = 'works';
        await ask('/tool?fails=yes');
        expect(results[1]).to.equal(`error ${SALARY}`);
      });

      it('runs nothing where no request is known, and refuses streams', async () => {
        let ran = false;
        const handler = writeAhead(async () => {
          ran = true;
        });
        expect(await rejectionOf(handler())).to.include({ code: 'context.missing' });
        expect(ran).to.equal(false);
        await start((app) => {
          app.get('/stream', async (_req, res) => {
            const pieces = writeAhead(async function* () {
              yield SALARY;
            } as never);
            res.end(await (pieces as () => Promise<string>)().catch((error) => error.code));
          });
        });
        expect(await ask('/stream')).to.include({ text: 'config.invalid' });
      });
    });

    describe('an open session', () => {
      it('has the labels of requests at once, and its own hold their responses', async () => {
        const begun = deferred<void>();
        const goOn = deferred<void>();
        await start((app) => {
          app.get('/probe', probed);
          app.get('/slow', async (_req, res) => {
            begun.resolve();
            await goOn.promise;
            res.send('slow');
          });
        });
        const opened = await openSession({
          session: 'alice',
          store,
          storeTimeoutMs: 60_000,
          logger: { warn() {}, error() {} },
        });
        const slow = ask('/slow');
        await begun.promise;
        store.mode = 'waits';
        opened.labels.add(LABEL);
        goOn.resolve();
        await probe();
        expect(await Promise.race([slow, probe()])).to.include({ text: 'probed' });
        store.release();
        expect(await slow).to.include({ text: 'slow' });
        await opened.close();
      });
    });
  });
}
