import express, { type Request } from 'express';
import { type AplSessionOptions, aplSessionMiddleware, subjectSession } from 'express-apl-session';
import { type AplPolicies, apl, aplPolicies } from 'express-apl-session/apl';

/** An app in which a document decides. Its routes only name their tools. */
export function createApp(document: string, options: Pick<AplSessionOptions, 'store' | 'logger'> = {}) {
  const aplSession = aplSessionMiddleware({
    session: subjectSession({ subject: subjectOf, sessionId: (req) => req.get('mcp-session-id') }),
    sessionless: 'deny',
    ...options,
  });
  const policies = createPolicies(document);

  const app = express();
  app.use(express.json());
  app.use(aplSession);
  app.use(policies);
  app.use(createRoutes(policies));
  return { app, policies, close: () => aplSession.close() };
}

// #region docs
export function createPolicies(document: string): AplPolicies {
  return aplPolicies(document, {
    file: 'policies.yaml',
    subject: subjectOf,
    roles: (req) => userOf(req)?.roles,
    permissions: (req) => userOf(req)?.permissions,
  });
}

export function createRoutes(policies: AplPolicies): express.Router {
  const routes = express.Router();
  routes.get('/compensation', apl(policies, { tool: 'get_compensation' }), (_req, res) => {
    res.json({ name: 'Ada', salary: 98_000, ssn: '123-45-6789' });
  });
  routes.post('/email', apl(policies, { tool: 'send_email' }), (_req, res) => {
    res.status(202).json({ sent: true });
  });
  return routes;
}
// #endregion

/** The users of this example, by bearer token. A real app verifies its tokens. */
const USERS: ReadonlyMap<string, { id: string; roles: readonly string[]; permissions: readonly string[] }> = new Map([
  ['alice-token', { id: 'alice', roles: ['hr'], permissions: [] }],
  ['erin-token', { id: 'erin', roles: ['hr'], permissions: ['view_ssn'] }],
  ['bob-token', { id: 'bob', roles: [], permissions: [] }],
]);

function userOf(req: Request) {
  return USERS.get(req.get('authorization')?.replace(/^Bearer /, '') ?? '');
}

function subjectOf(req: Request): string | undefined {
  return userOf(req)?.id;
}
