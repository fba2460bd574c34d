import express, { type Request, type RequestHandler } from 'express';
import { aplSessionMiddleware, type DecidePolicy, policy, subjectSession, taint } from 'express-apl-session';
import { decideByCedar } from './cedar.js';
import { decideByCel } from './cel.js';

// #region docs
const VIOLATION = { code: 'mail_refused', reason: 'this session may not send mail' };

export const CEDAR_POLICIES = `
  permit (principal == User::"alice", action == Action::"sendMail", resource);
  forbid (principal, action == Action::"sendMail", resource) when { context.labels.contains("secret") };
`;
export const CEL_EXPRESSION = `subject == "alice" && !("secret" in labels)`;

/** The same policy, in each of the engines. */
export const ENGINES: ReadonlyMap<string, () => DecidePolicy<string | undefined>> = new Map([
  ['Cedar', () => decideByCedar(CEDAR_POLICIES, VIOLATION)],
  ['CEL', () => decideByCel(CEL_EXPRESSION, VIOLATION)],
]);
// #endregion

export function createApp(decide: DecidePolicy<string | undefined>) {
  const aplSession = aplSessionMiddleware({
    session: subjectSession({ subject: subjectOf, sessionId: (req) => req.get('mcp-session-id') }),
    sessionless: 'deny',
  });

  const app = express();
  app.use(authenticate);
  app.use(aplSession);
  app.get('/compensation', taint('secret'), (_req, res) => {
    res.json({ 'software engineer': 98_000 });
  });
  app.post('/email', policy(decide, { subject: subjectOf, name: 'mail' }), (_req, res) => {
    res.status(202).json({ sent: true });
  });
  return { app, close: () => aplSession.close() };
}

/** The users of this example, by bearer token. A real app verifies its tokens. */
const SUBJECTS: ReadonlyMap<string, string> = new Map([
  ['alice-token', 'alice'],
  ['bob-token', 'bob'],
]);

function subjectOf(req: Request): string | undefined {
  return SUBJECTS.get(req.get('authorization')?.replace(/^Bearer /, '') ?? '');
}

const authenticate: RequestHandler = (req, res, next) => {
  if (subjectOf(req)) next();
  else res.status(401).set('WWW-Authenticate', 'Bearer').json({ error: 'unknown token' });
};
