// An Express app in TypeScript, as it was before, with the labels added. It compiles to CommonJS and to ESM.
import express from 'express';
import { type AplSessionOptions, aplSessionMiddleware, denyIf, subjectSession, taint } from 'express-apl-session';

const users: ReadonlyMap<string | undefined, string> = new Map([['Bearer alice-token', 'alice']]);

export function createApp(options: Pick<AplSessionOptions, 'store'> = {}): express.Express {
  const app = express();
  app.use(express.json());
  app.use((req, res, next) => {
    res.locals['user'] = users.get(req.get('authorization'));
    if (res.locals['user']) next();
    else res.status(401).json({ error: 'unknown token' });
  });
  app.use(
    aplSessionMiddleware({
      session: subjectSession({
        subject: (req) => req.res?.locals['user'],
        sessionId: (req) => req.get('mcp-session-id'),
      }),
      sessionless: 'deny',
      ...options,
    }),
  );
  app.get('/salaries', taint('secret'), (_req, res) => {
    res.json({ engineer: 98_000 });
  });
  app.get('/notes', (req, res) => {
    req.security.labels.add('PII');
    res.json(['Ada asks for an invoice.']);
  });
  app.post(
    '/mail',
    denyIf({ any: ['secret', 'PII'] }, { code: 'session_tainted', reason: 'session touched secret data' }),
    (req, res) => {
      res.json({ sentTo: req.body.to });
    },
  );
  return app;
}
