/**
 * An app with the instrumentations of http, express and ioredis, in a process of its own, because they change these modules.
 * Prints what its spans are, as JSON. VALKEY_URL is a Valkey for the app's own client.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { trace } from '@opentelemetry/api';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { ExpressInstrumentation } from '@opentelemetry/instrumentation-express';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { IORedisInstrumentation } from '@opentelemetry/instrumentation-ioredis';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import type { Request, Response } from 'express';

const exporter = new InMemorySpanExporter();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
registerInstrumentations({
  instrumentations: [new HttpInstrumentation(), new ExpressInstrumentation(), new IORedisInstrumentation()],
});

// the instrumentations change what require() loads from now on
const require = createRequire(import.meta.url);
require('node:http');
const express = require('express') as typeof import('express');
const { Redis } = require('ioredis') as typeof import('ioredis');
const { aplSessionMiddleware, denyIf } = await import('../../lib/index.js');
const { openTelemetryTraces } = await import('../../lib/opentelemetry.js');
const { controllableStore } = await import('../../lib/testing.js');

const traces = openTelemetryTraces({ tracerProvider: trace });
const client = process.env['VALKEY_URL'] ? new Redis(process.env['VALKEY_URL']) : undefined;
const store = controllableStore();
// the first append waits until the responses of both requests are held
let held = 0;
const bothHeld = new Promise<void>((resolve) => {
  subscribe('express-apl-session:hold', (message) => {
    if ((message as { outcome: string }).outcome === 'held' && ++held === 2) resolve();
  });
});
const app = express();
app.use(
  aplSessionMiddleware({
    session: (req) => req.get('x-session'),
    store: {
      loadLabels: (id) => store.loadLabels(id),
      appendLabels: async (id, labels) => {
        await bothHeld;
        await store.appendLabels(id, labels);
      },
    },
    storeTimeoutMs: 5_000,
    logger: { warn() {}, error() {} },
  }),
);
app.get('/notes/:id', async (req: Request, res: Response) => {
  req.security.labels.add('secret-label');
  await client?.get('note');
  res.send('ok');
});
app.post('/mail', denyIf('secret-label', { code: 'session_tainted', reason: 'no' }), (_req: Request, res: Response) =>
  res.send('sent'),
);
const server: Server = app.listen(0, '127.0.0.1');
await new Promise((listening) => server.once('listening', listening));
const { port } = server.address() as AddressInfo;
const ask = async (method: string, path: string, session: string): Promise<number> => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { 'x-session': session, 'x-request': path },
  });
  await answer.text();
  return answer.status;
};

/** Two requests of one session at the same time: one append serves both. */
const statuses = await Promise.all([ask('GET', '/notes/1', 'shared'), ask('GET', '/notes/2', 'shared')]);
statuses.push(await ask('POST', '/mail', 'shared'));
store.fail('load');
statuses.push(await ask('POST', '/mail', 'other'));
store.restore();
store.fail('append');
statuses.push(await ask('GET', '/notes/3', 'third'));
store.restore();
traces.close();
statuses.push(await ask('GET', '/notes/4', 'fourth'));

await client?.quit();
await new Promise((closed) => server.close(closed));
const spans = exporter.getFinishedSpans().map((span) => ({
  name: span.name,
  id: span.spanContext().spanId,
  traceId: span.spanContext().traceId,
  parentId: span.parentSpanContext?.spanId,
  kind: span.kind,
  scope: span.instrumentationScope.name,
  status: span.status.code,
  attributes: span.attributes,
  startMs: span.startTime[0] * 1_000 + span.startTime[1] / 1e6,
  endMs: span.endTime[0] * 1_000 + span.endTime[1] / 1e6,
}));
process.stdout.write(JSON.stringify({ statuses, spans }));
