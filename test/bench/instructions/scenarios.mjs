/** The apps that `npm run bench:instructions` measures. All of them answer `GET /` with 200. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import express from 'express';
import { sdk, sdkAlone, subscribeEverything } from '../everything.mjs';

const ANSWER = { id: 4711, name: 'Ada Lovelace', notes: ['first', 'second', 'third'], active: true };

const noHeaders = () => [];
const oneSession = () => ['x-subject', 'alice', 'mcp-session-id', 'one'];
/** A label is new only to a session that does not have it. */
const newSession = (n) => ['x-subject', 'alice', 'mcp-session-id', `session-${n}`];

/** The Valkey of a measurement is not durable, and the middleware warns about that. */
const logger = { warn() {}, error: console.error };

const answer = (_req, res) => res.json(ANSWER);

function taintAndAnswer(req, res) {
  req.security.labels.add('secret');
  res.json(ANSWER);
}

function taintAndStream(req, res) {
  req.security.labels.add('secret');
  for (let n = 0; n < 8; n++) res.write('a part of the answer, '.repeat(4));
  res.end();
}

/** Forgets all labels. */
const stub = () => ({ store: { loadLabels: async () => ['PII', 'internal'], appendLabels: async () => {} } });
const memory = () => ({});

async function valkey(entry) {
  const { valkeySessionStoreFactory } = await entry('valkey.js');
  return { store: { kind: 'valkey', endpoint: process.env.VALKEY_URL }, storeFactories: [valkeySessionStoreFactory] };
}

const behind = (store, handler) => async (app, entry) => {
  await mount(app, entry, store);
  app.get('/', handler);
};

async function mount(app, entry, store) {
  const { aplSessionMiddleware, subjectSession } = await entry('index.js');
  const session = subjectSession({
    subject: (req) => req.get('x-subject'),
    sessionId: (req) => req.get('mcp-session-id'),
  });
  app.use(aplSessionMiddleware({ session, logger, ...(await store(entry)) }));
}

/** Counts the events for Prometheus. */
const counted = (handler) => async (app, entry) => {
  const { prometheusMetrics } = await entry('metrics.js');
  prometheusMetrics();
  await mount(app, entry, stub);
  app.get('/', handler);
};

/** Counts the events with the SDK of OpenTelemetry, and makes spans. */
const traced = (handler) => async (app, entry) => {
  const { openTelemetryMetrics, openTelemetryTraces } = await entry('opentelemetry.js');
  const { meterProvider, tracerProvider } = await sdk();
  openTelemetryMetrics({ meterProvider });
  openTelemetryTraces({ tracerProvider });
  await mount(app, entry, stub);
  app.get('/', handler);
};

/** Everything that is described in docs/metrics.md and docs/dashboard.md is on, and the origins of labels are kept. */
const everything = (handler, samplingRatio) => async (app, entry) => {
  const { MemorySessionStore } = await entry('index.js');
  const store = new MemorySessionStore({ provenance: true });
  await subscribeEverything(entry, store, samplingRatio);
  await mount(app, entry, () => ({ store, requestId: () => 'request-4711' }));
  app.get('/', handler);
};

/** No event has a subscriber, and the SDK of OpenTelemetry does what the events would have it do. */
const sdkOnly = (handler) => async (app, entry) => {
  const work = await sdkAlone();
  await mount(app, entry, memory);
  app.get('/', (req, res) => {
    work(handler === taintAndAnswer);
    handler(req, res);
  });
};

async function inContext(app, entry) {
  const { currentSecurity, securityContext } = await entry('context.js');
  await mount(app, entry, stub);
  app.use(securityContext());
  app.get('/', (_req, res) => res.json({ ...ANSWER, labels: currentSecurity().labels.size }));
}

const SCENARIOS = {
  bare: [noHeaders, async (app) => app.get('/', answer)],
  'no session': [noHeaders, behind(stub, answer)],
  'stub clean': [oneSession, behind(stub, answer)],
  'stub tainting': [newSession, behind(stub, taintAndAnswer)],
  'memory clean': [oneSession, behind(memory, answer)],
  'memory tainting': [newSession, behind(memory, taintAndAnswer)],
  'metrics clean': [oneSession, counted(answer)],
  'metrics tainting': [newSession, counted(taintAndAnswer)],
  'traces clean': [oneSession, traced(answer)],
  'traces tainting': [newSession, traced(taintAndAnswer)],
  'everything clean': [oneSession, everything(answer)],
  'everything tainting': [newSession, everything(taintAndAnswer)],
  'sampled clean': [oneSession, everything(answer, 0.1)],
  'sampled tainting': [newSession, everything(taintAndAnswer, 0.1)],
  'sdk clean': [oneSession, sdkOnly(answer)],
  'sdk tainting': [newSession, sdkOnly(taintAndAnswer)],
  context: [oneSession, inContext],
  'held stream': [newSession, behind(stub, taintAndStream)],
  // these need VALKEY_URL
  'valkey clean': [oneSession, behind(valkey, answer)],
  'valkey tainting': [newSession, behind(valkey, taintAndAnswer)],
};

/** Returns the app of a scenario, built with the package in the folder `dist`, and the headers of its n-th request. */
export async function appOf(name, dist) {
  const [headersOf, build] = SCENARIOS[name];
  const app = express();
  await build(app, (file) => import(pathToFileURL(join(dist, file)).href));
  return { app, headersOf };
}
