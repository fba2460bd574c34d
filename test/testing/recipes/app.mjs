import express from 'express';
import { aplSessionMiddleware, denyIf, openSession, subjectSession, taint } from 'express-apl-session';

/** A test passes its own store. Production passes the options of its Valkey. */
export function createApp(options = {}) {
  const app = express();
  app.use((req, _res, next) => {
    req.user = req.get('x-user'); // put your authentication here
    next();
  });
  app.use(
    aplSessionMiddleware({
      session: subjectSession({ subject: (req) => req.user, sessionId: (req) => req.get('mcp-session-id') }),
      sessionless: 'deny',
      ...options,
    }),
  );
  app.get('/salaries', taint('secret'), (_req, res) => {
    res.json({ engineer: 98_000 });
  });
  app.post('/mail', denyIf('secret', { code: 'session_tainted', reason: 'read secret data' }), (_req, res) => {
    res.status(202).json({ sent: true });
  });
  return app;
}

/** A job of a queue, which has no response. */
export async function mailJob(sessionId, store) {
  const session = await openSession({ session: sessionId, store, name: 'mail jobs' });
  const sent = !session.labels.has('secret');
  await session.close();
  return sent;
}
