/**
 * `npm run bench:in-process`: what one request costs without sockets, a server and a store, so that only Express, Node's
 * messages and this package are left. Steadier than a server on a machine with neighbours, and blind to all that they leave
 * out: caches are warm, and no request waits for a store. Requests come in groups, as from a busy server's sockets. `-- FOLDER ...` compares builds; default `dist`.
 */
import { fork } from 'node:child_process';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import express from 'express';

const KINDS = ['bare', 'no session', 'clean', 'tainting'];
const STARTS = 5;
const TOGETHER = 16;
const WARM_UP = 2_500;
const BATCHES = 400;
const BATCH = 8;

/** Neither reads nor keeps anything. */
function sink() {
  const socket = new Socket();
  socket._read = () => {};
  socket._writeGeneric = (_writev, _data, _encoding, callback) => callback();
  Object.defineProperty(socket, 'writable', { value: true });
  return socket;
}

async function appOf(kind, dist) {
  const app = express();
  if (kind !== 'bare') {
    const { aplSessionMiddleware, subjectSession } = await import(pathToFileURL(join(dist, 'index.js')).href);
    const store = { loadLabels: async () => ['PII', 'internal'], appendLabels: async () => {} };
    const sessionId = (req) => req.get('mcp-session-id');
    app.use(
      aplSessionMiddleware({ session: subjectSession({ subject: (req) => req.get('x-subject'), sessionId }), store }),
    );
  }
  app.get('/', (req, res) => {
    if (kind === 'tainting') req.security.labels.add('secret');
    res.json({ id: 4711, name: 'Ada Lovelace', notes: ['first', 'second', 'third'], active: true });
  });
  return app;
}

/** The tenth of the batches that was disturbed least, in microseconds per request. */
async function measure(kind, dist) {
  const app = await appOf(kind, dist);
  const sockets = Array.from({ length: TOGETHER }, sink);
  let sessions = 0;
  const headersOf = () => {
    if (kind === 'no session') return ['Host', 'bench'];
    // the store forgets all labels, so each request that adds one needs a session of its own
    const session = kind === 'tainting' ? `session-${sessions++}` : 'one';
    return ['Host', 'bench', 'x-subject', 'alice', 'mcp-session-id', session];
  };
  const one = (socket) =>
    new Promise((done) => {
      const req = new IncomingMessage(socket);
      Object.assign(req, { method: 'GET', url: '/', httpVersion: '1.1', httpVersionMajor: 1, httpVersionMinor: 1 });
      const headers = headersOf();
      req._addHeaderLines(headers, headers.length);
      const res = new ServerResponse(req);
      res.assignSocket(socket);
      res.on('finish', () => {
        res.detachSocket(socket);
        res.emit('close');
        done();
      });
      app(req, res);
    });
  const group = () => Promise.all(sockets.map(one));
  for (let n = 0; n < WARM_UP; n++) await group();
  const micros = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const startedMs = performance.now();
    for (let n = 0; n < BATCH; n++) await group();
    micros.push(((performance.now() - startedMs) * 1_000) / BATCH / TOGETHER);
  }
  return micros.sort((a, b) => a - b)[Math.floor(BATCHES / 10)];
}

function inChild(kind, dist) {
  const child = fork(fileURLToPath(import.meta.url), [kind, dist], { env: { ...process.env, NODE_ENV: 'production' } });
  return new Promise((done, fail) => {
    child.once('message', done);
    child.once('exit', (code) => code && fail(new Error(`${kind} ended with ${code}`)));
  });
}

async function compare(dists) {
  console.log(`microseconds per request, the best of ${STARTS} starts`);
  for (const [n, dist] of dists.entries()) {
    const best = new Map();
    for (let start = 0; start < STARTS; start++) {
      for (const kind of KINDS) best.set(kind, Math.min(best.get(kind) ?? Infinity, await inChild(kind, dist)));
    }
    const bare = best.get('bare');
    if (dists.length > 1) console.log(dists[n]);
    for (const [kind, micros] of best) {
      console.log(`${kind.padEnd(12)}${micros.toFixed(1).padStart(8)}${(micros - bare).toFixed(1).padStart(8)} added`);
    }
  }
}

if (process.send) {
  process.send(await measure(process.argv[2], process.argv[3]));
  process.exit();
}
const named = process.argv.slice(2);
await compare(
  named.length > 0 ? named.map((name) => resolve(name)) : [fileURLToPath(new URL('../../dist', import.meta.url))],
);
