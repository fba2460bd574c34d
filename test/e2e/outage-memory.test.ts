import { expect } from 'chai';
import { runModule } from '../support/node-child.js';

/** Requests to an app whose Valkey is away, and the bytes that each leaves behind on the heap. */
const script = (listener: string): string => `
  import { Agent, get } from 'node:http';
  import { createServer } from 'node:net';
  import { once } from 'node:events';
  import { setFlagsFromString } from 'node:v8';
  import { runInNewContext } from 'node:vm';
  import express from 'express';
  import { aplSessionMiddleware } from './lib/index.ts';
  import { valkeySessionStoreFactory } from './lib/valkey.ts';
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');

  const sockets = new Set();
  const valkey = createServer((socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
    ${listener}
  }).listen(0, '127.0.0.1');
  await once(valkey, 'listening');
  const aplSession = aplSessionMiddleware({
    session: (req) => req.get('x-session'),
    store: { kind: 'valkey', endpoint: '127.0.0.1:' + valkey.address().port, connectTimeoutMs: 5, commandTimeoutMs: 5 },
    storeFactories: [valkeySessionStoreFactory],
    logger: { warn() {}, error() {} },
  });
  const app = express();
  app.use(aplSession);
  app.get('/', (req, res) => res.send('served'));
  const http = app.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const agent = new Agent({ keepAlive: true, maxSockets: 100 });
  const statuses = {};
  const ask = (session) => new Promise((resolve, reject) => {
    get({ port: http.address().port, host: '127.0.0.1', agent, headers: { 'x-session': session } }, (res) => {
      statuses[res.statusCode] = (statuses[res.statusCode] ?? 0) + 1;
      res.resume().on('end', resolve);
    }).on('error', reject);
  });
  const suffer = async (requests) => {
    for (let done = 0; done < requests; done += 500) {
      await Promise.all(Array.from({ length: 500 }, (_, index) => ask('session-' + (done + index))));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    gc();
    return process.memoryUsage().heapUsed;
  };
  const before = await suffer(2_000);
  const after = await suffer(10_000);
  console.log(JSON.stringify({ statuses, bytes: Math.round((after - before) / 10_000) }));
  agent.destroy();
  http.close();
  await aplSession.close();
  valkey.close();
  for (const socket of sockets) socket.destroy();`;

describe('10,000 requests without Valkey are denied, and memory does not grow', () => {
  for (const { what, listener } of [
    { what: 'it drops every connection', listener: 'socket.resetAndDestroy();' },
    { what: 'it accepts connections and never answers', listener: '' },
  ]) {
    it(what, async function () {
      this.timeout(60_000);
      const { code, stdout, stderr } = await runModule(script(listener), {}, 50_000);
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      const { statuses, bytes } = JSON.parse(stdout) as { statuses: object; bytes: number };
      expect(statuses).to.deep.equal({ 403: 12_000 });
      // what one waiting call holds is many times that
      expect(bytes).to.be.below(150);
    });
  }
});
