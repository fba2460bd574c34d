/**
 * The app that the crashes are about, as a process of its own. It tells its port on the IPC channel. `POST /control/configure`
 * replaces its store and its middleware. The header `x-session` replaces an authentication.
 */
import type { AddressInfo } from 'node:net';
import express, { type Express } from 'express';
import { type Alarm, type AplSessionMiddleware, aplSessionMiddleware, type SessionStore } from '../../../lib/index.js';
import { ValkeySessionStore } from '../../../lib/valkey.js';
import type { AppSettings } from './crash-app.js';

interface Configured {
  readonly app: Express;
  readonly alarms: readonly Alarm[];
  close(): Promise<void>;
}

function configure({ store: options, sessions, hasMemory }: AppSettings): Configured {
  const store = new ValkeySessionStore(options);
  const alarms: Alarm[] = [];
  const middlewareOn = (used: SessionStore): AplSessionMiddleware =>
    aplSessionMiddleware({
      session: (req) => req.get('x-session'),
      store: used,
      sessions,
      logger: { warn() {}, error() {} },
      onAlarm: (alarm) => void alarms.push(alarm),
    });
  const lasting = middlewareOn(store);
  // the memory belongs to a store, so a request with a store of its own knows nothing of the requests before it
  const forRequest = (): AplSessionMiddleware => (hasMemory ? lasting : middlewareOn(withoutMemory(store)));
  const app = express();
  app.post('/enroll', (req, res, next) => forRequest().enroll()(req, res, next));
  app.use((req, res, next) => (req.path === '/enroll' ? next() : forRequest()(req, res, next)));
  app.post('/enroll', (_req, res) => void res.json({}));
  app.post('/labels/:label', (req, res) => {
    req.security.labels.add(req.params.label);
    res.json({});
  });
  app.get('/labels', (req, res) => void res.json([...req.security.labels]));
  return { app, alarms, close: () => store.close() };
}

function withoutMemory(store: ValkeySessionStore): SessionStore {
  return {
    deadlineMs: store.deadlineMs,
    maxLabelsPerSession: store.maxLabelsPerSession,
    loadLabels: (session) => store.loadLabels(session),
    appendLabels: (session, labels) => store.appendLabels(session, labels),
  };
}

const control = express();
let configured: Configured | undefined;
control.post('/control/configure', express.json(), async (req, res) => {
  await configured?.close();
  configured = configure(req.body as AppSettings);
  res.json({});
});
control.get('/control/alarms', (_req, res) => void res.json(configured?.alarms ?? []));
control.use((req, res, next) => void configured?.app(req, res, next));

const server = control.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
