import type { Express, RequestHandler } from 'express';
import { aplSessionMiddleware, type SubjectSessionOptions, subjectSession } from '../../lib/index.js';
import type { ExpressModule } from './express-versions.js';

/** An app of an authentication and our middleware, whose every answer tells the session that was found. */
export function sessionApp(
  express: ExpressModule,
  authentication: readonly RequestHandler[],
  options: SubjectSessionOptions,
): Express {
  const app = express().set('env', 'test');
  for (const handler of authentication) app.use(handler);
  return app.use(aplSessionMiddleware({ session: subjectSession(options) })).use((req, res) => {
    const { sessionId, source } = req.security;
    res.json(sessionId === undefined ? null : { id: sessionId, source });
  });
}
