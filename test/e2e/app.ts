/**
 * The app that the end-to-end tests run, as a process of its own: sessions bound to a subject, labels in Valkey. Tells its
 * port on the IPC channel. The headers replace an authentication.
 */
import type { AddressInfo } from 'node:net';
import express from 'express';
import { aplSessionMiddleware, denyIf, subjectSession, taint } from '../../lib/index.js';
import { valkeySessionStoreFactory } from '../../lib/valkey.js';

const app = express();
app.use(
  aplSessionMiddleware({
    session: subjectSession({ subject: (req) => req.get('x-subject'), sessionId: (req) => req.get('mcp-session-id') }),
    store: {
      kind: 'valkey',
      endpoint: process.env['VALKEY_ENDPOINT'],
      connectTimeoutMs: 250,
      commandTimeoutMs: 250,
      ...(process.env['VALKEY_TTL'] && { ttlSeconds: Number(process.env['VALKEY_TTL']) }),
    },
    storeFactories: [valkeySessionStoreFactory],
  }),
);
app.get('/clean', (_req, res) => {
  res.json({ clean: true });
});
app.get('/compensation', taint('secret'), (_req, res) => {
  res.json({ salary: 100_000 });
});
app.get('/notes', (req, res) => {
  req.security.labels.add('PII');
  res.json({ notes: [] });
});
app.post(
  '/email',
  denyIf('secret', { code: 'session_tainted', reason: 'session touched secret data' }),
  (_req, res) => {
    res.json({ sent: true });
  },
);

const server = app.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
