import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { expect } from 'chai';
import express, { type Request } from 'express';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import {
  type Alarm,
  AplSessionError,
  aplSessionMiddleware,
  openSession,
  subjectSession,
  taint,
} from '../../lib/index.js';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { isOfCalls } from '../support/alarms.js';
import { type RunningServer, serve } from '../support/raw-http.js';
import { describeWithDedicatedValkey } from '../support/valkey.js';

/** Headers in place of an authentication. */
const resolve = subjectSession({
  subject: (req) => String(req.headers['x-subject'] ?? ''),
  sessionId: (req) => String(req.headers['mcp-session-id'] ?? ''),
});

describeWithDedicatedValkey('sessions without a response, on a real Valkey', (valkey) => {
  let store: ValkeySessionStore;
  let alarms: Alarm[];
  beforeEach(async () => {
    await valkey().flush();
    store = new ValkeySessionStore({ endpoint: valkey().url, connectTimeoutMs: 250, commandTimeoutMs: 250 });
    alarms = [];
  });
  afterEach(() => store.close());

  const open = (session: string, name: string) =>
    openSession({
      session,
      store,
      name,
      logger: { warn() {}, error() {} },
      onAlarm: (alarm) => void alarms.push(alarm),
    });

  describe('WebSocket', () => {
    let running: RunningServer;
    let sockets: WebSocketServer;
    const clients: WebSocket[] = [];

    beforeEach(async () => {
      const app = express();
      app.use(aplSessionMiddleware({ session: resolve, store }));
      app.get('/compensation', taint('secret'), (_req, res) => void res.json({ salary: 100_000 }));
      running = await serve(app);
      sockets = new WebSocketServer({ noServer: true });
      running.server.on('upgrade', (req, socket, head) => void upgrade(req, socket, head));
    });
    afterEach(async () => {
      for (const client of clients.splice(0)) client.terminate();
      sockets.close();
      await running.close();
    });

    async function upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
      const found = await resolve(req as Request);
      if (!found) return void socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
      sockets.handleUpgrade(req, socket, head, (client) => {
        client.on('message', (message) => {
          serveMessage(found.id, message).then(
            (answer) => client.send(answer),
            (error) => client.close(1011, error instanceof AplSessionError ? error.code : 'failed'),
          );
        });
      });
    }

    /** One message is what one request is: labels as they are now, stored before anything is answered. */
    async function serveMessage(id: string, message: RawData): Promise<string> {
      const session = await open(id, 'chat socket');
      if (String(message) === 'send mail') return session.labels.has('secret') ? 'refused' : 'sent';
      session.labels.add('secret');
      await session.persist();
      return 'salaries';
    }

    function connect(subject: string, session: string): WebSocket {
      const headers = { 'x-subject': subject, 'mcp-session-id': session };
      const client = new WebSocket(`ws://127.0.0.1:${running.port}`, { headers });
      clients.push(client);
      return client;
    }

    async function connected(subject: string, session: string): Promise<(message: string) => Promise<string>> {
      const client = connect(subject, session);
      await once(client, 'open');
      return async (message) => {
        client.send(message);
        const [answer] = await once(client, 'message');
        return String(answer);
      };
    }

    it('a session tainted over HTTP after the upgrade refuses messages, too', async () => {
      const ask = await connected('alice', 'chat');
      expect(await ask('send mail')).to.equal('sent');
      const headers = { 'x-subject': 'alice', 'mcp-session-id': 'chat' };
      expect((await fetch(`http://127.0.0.1:${running.port}/compensation`, { headers })).status).to.equal(200);
      expect(await ask('send mail')).to.equal('refused');
      expect(await (await connected('bob', 'chat'))('send mail')).to.equal('sent');
    });

    it('G4: a label from one socket is seen by another socket of the session', async () => {
      const [reading, sending] = [await connected('alice', 'chat'), await connected('alice', 'chat')];
      expect(await sending('send mail')).to.equal('sent');
      expect(await reading('read salaries')).to.equal('salaries');
      expect(await sending('send mail')).to.equal('refused');
    });

    it('G6: a client without a subject gets no socket', async () => {
      const [error] = await once(connect('', 'chat'), 'error');
      expect((error as Error).message).to.include('401');
    });

    it('G2: without Valkey no message is answered, and an alarm is raised', async () => {
      const client = connect('alice', 'chat');
      await once(client, 'open');
      await valkey().stop();
      try {
        client.send('send mail');
        const [code, reason] = await once(client, 'close');
        expect([code, String(reason)]).to.deep.equal([1011, 'session.load_failed']);
      } finally {
        await valkey().cont();
      }
      expect(alarms.filter(isOfCalls)).to.have.length(1);
      expect(alarms.find(isOfCalls)).to.deep.include({ op: 'load', route: 'chat socket' });
    });
  });

  it('jobs of a queue: what one job has touched decides about the next', async () => {
    const jobs = [
      { session: 'one', work: 'send mail' },
      { session: 'one', work: 'read salaries' },
      { session: 'two', work: 'send mail' },
      { session: 'one', work: 'send mail' },
    ];
    const outcomes: string[] = [];
    for (const job of jobs) {
      await using session = await open(job.session, 'mail queue');
      if (job.work === 'read salaries') session.labels.add('secret');
      outcomes.push(job.work === 'send mail' && session.labels.has('secret') ? 'refused' : 'done');
    }
    expect(outcomes).to.deep.equal(['done', 'done', 'done', 'refused']);
    expect(alarms.filter(isOfCalls)).to.deep.equal([]);
  });
});
