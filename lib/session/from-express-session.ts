import type { Request } from 'express';
import { AplSessionError } from '../contract/errors.js';
import { markUncalled } from '../options/uncalled.js';
import { malformed } from './accessor-value.js';
import type { SubjectSessionOptions } from './subject-session.js';
import { onRequest } from './verified-claims.js';

/**
 * The `sessionId` accessor for express-session. It returns `req.sessionID` only if the client has sent this id in a cookie
 * that express-session accepted. It ignores an id that express-session made for this request: else every request
 * without a cookie would begin a session without labels.
 *
 * A request that express-session has not served (mounted later, another cookie path, its store disconnected) is the error
 * `session.invalid`, also if the request has no subject: its subject may be in the missing session.
 *
 * @example
 * app.use(expressSession({ secret: 'a secret', resave: false, saveUninitialized: false }));
 * app.use(aplSessionMiddleware({ session: subjectSession({ subject: subjectOf, ...fromExpressSession() }) }));
 */
export function fromExpressSession(): Required<Pick<SubjectSessionOptions, 'sessionId'>>;
export function fromExpressSession(...none: readonly unknown[]): Required<Pick<SubjectSessionOptions, 'sessionId'>> {
  if (none.length > 0) {
    throw new AplSessionError(
      'config.invalid',
      'fromExpressSession() takes no arguments. Write subjectSession({ subject, ...fromExpressSession() }).',
    );
  }
  return { sessionId: Object.assign((req: Request) => establishedId(req), { explain: assertServed }) };
}

markUncalled(fromExpressSession, 'subjectSession({ ...fromExpressSession(...) })');

function assertServed(req: Request): undefined {
  if (onRequest(req, 'sessionStore') !== undefined) return;
  if (onRequest(req, 'session')) {
    throw malformed(
      'another package than express-session has set req.session; write a sessionId accessor for that package in place of fromExpressSession()',
    );
  }
  throw malformed('express-session has not served the request; mount it before, and check that its store is connected');
}

function establishedId(req: Request): string | undefined {
  assertServed(req);
  const id = onRequest(req, 'sessionID');
  // `req.session` is missing after session.destroy()
  if (typeof id !== 'string' || id === '' || onRequest(req, 'session.id') !== id) return undefined;
  return cookieValues(req).some((value) => isSigned(value, id)) ? id : undefined;
}

/** Whether the value is `s:<id>.<signature>`. express-session has checked the signature: only then it uses the id. */
function isSigned(value: string, id: string): boolean {
  return value.startsWith('s:') && value.slice(2, Math.max(2, value.lastIndexOf('.'))) === id;
}

function cookieValues(req: Request): string[] {
  return (req.headers.cookie ?? '').split(';').map((pair) => {
    const value = pair
      .slice(pair.indexOf('=') + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1');
    try {
      return decodeURIComponent(value);
    } catch {
      return value;
    }
  });
}
