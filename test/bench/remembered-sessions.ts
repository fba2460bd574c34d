/**
 * `npm run bench:remembered`: the heap that one remembered session takes (docs/high-availability.md). A process remembers the
 * labels of the last 10,000 sessions, besides those in use.
 */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { aplSessionMiddleware, type SessionStore } from '../../lib/index.js';

const REMEMBERED = 10_000;
const WARM_UP = 2_000;
const LABELS = ['secret', 'PII', 'internal'];

/** Answers like a remote store: with new strings for each load. */
const store: SessionStore = {
  loadLabels: async (sessionId) => LABELS.map((label) => `${label}-${sessionId}`.slice(0, label.length)),
  appendLabels: async () => {},
};
const app = express();
app.use(aplSessionMiddleware({ session: (req) => req.get('x-session'), store }));
app.get('/', (_req, res) => void res.send('ok'));
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

async function send(from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 1) {
    const sent = request({ port, agent, headers: { 'x-session': sessionId(n) } }).end();
    const [response] = await once(sent, 'response');
    await once(response.resume(), 'end');
  }
}

/** As long as an id of `subjectSession()`. */
function sessionId(n: number): string {
  return n.toString(16).padStart(16, '0');
}

function heapBytes(): number {
  for (let round = 0; round < 5; round += 1) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

if (!globalThis.gc) throw new Error('Run node with --expose-gc.');
// the first sessions also fill the caches of Node and Express, so they are not counted
await send(0, WARM_UP);
const before = heapBytes();
await send(WARM_UP, REMEMBERED);
const bytes = (heapBytes() - before) / (REMEMBERED - WARM_UP);
console.log(
  `${Math.round(bytes)} bytes for a remembered session with ${LABELS.length} labels, ${Math.round(2 ** 20 / bytes).toLocaleString('en')} sessions per MiB`,
);
process.exit();
