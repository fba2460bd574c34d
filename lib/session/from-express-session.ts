import type { Request } from 'express';
import { malformed } from './accessor-value.js';
import type { SubjectSessionOptions } from './subject-session.js';
import { onRequest } from './verified-claims.js';

/**
 * For express-session: `req.sessionID`, if the client has sent it in a cookie that express-session accepted, so that it
 * was signed here and is known to its store. An id that was made for this request (no cookie, a forged or expired one, a
 * session just regenerated) is none: if it were one, each request without a cookie would begin without labels. A request
 * that express-session has not served (not mounted before, another cookie path, its store disconnected) is the
 * error `session.invalid`, also if it has no subject: the subject may be in the session that is not there.
 */
export function fromExpressSession(): Required<Pick<SubjectSessionOptions, 'sessionId'>> {
  return { sessionId: Object.assign((req: Request) => establishedId(req), { explain: assertServed }) };
}

function assertServed(req: Request): undefined {
  if (onRequest(req, 'sessionStore') !== undefined) return;
  throw malformed('express-session has not served the request; mount it before, and see that its store is connected');
}

function establishedId(req: Request): string | undefined {
  assertServed(req);
  const id = onRequest(req, 'sessionID');
  // `req.session` is gone once the session was destroyed
  if (typeof id !== 'string' || id === '' || onRequest(req, 'session.id') !== id) return undefined;
  return cookieValues(req).some((value) => isSigned(value, id)) ? id : undefined;
}

/** `s:<id>.<signature>`. The signature was checked by express-session: it alone has made `req.sessionID` of it. */
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
