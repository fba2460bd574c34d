/** Misuse that must not compile; checked by `npm run types`, never run. */
import type { Request, RequestHandler } from 'express';
import {
  type AplSessionOptions,
  aplSessionMiddleware,
  fromExpressJwt,
  fromExpressSession,
  fromMcpBearerAuth,
  fromOauth2JwtBearer,
  fromPassport,
  type SubjectSessionOptions,
  subjectSession,
} from '../../lib/index.js';

const subject = (): string => 'alice';
const issuer = 'https://issuer.example';

export function subjectSessionMisused(): void {
  // @ts-expect-error a session needs a subject
  subjectSession({ sessionId: () => 'chat' });
  // @ts-expect-error a subject is read from the request, not given
  subjectSession({ subject: 'alice' });
  // @ts-expect-error a subject is a text
  subjectSession({ subject: () => 42 });
  // @ts-expect-error so is a promised one
  subjectSession({ subject: async () => 42 });
  // @ts-expect-error a header may have come several times; use req.get()
  subjectSession({ subject, sessionId: (req) => req.headers['mcp-session-id'] });
  // @ts-expect-error no such option
  subjectSession({ subject, sesionId: () => 'chat' });
  // @ts-expect-error no such keying
  subjectSession({ subject, keying: 'stricter' });
  // @ts-expect-error an option that is there has a value
  subjectSession({ subject, claim: undefined });
  // @ts-expect-error express-session knows no subject
  subjectSession({ ...fromExpressSession() });
}

export function accessorsMisused(): void {
  // @ts-expect-error whose tokens?
  fromExpressJwt();
  // @ts-expect-error whose tokens?
  fromOauth2JwtBearer({});
  // @ts-expect-error the environment may not name one
  fromMcpBearerAuth({ issuer: process.env['ISSUER'] });
  // @ts-expect-error requestProperty is express-jwt's
  fromOauth2JwtBearer({ issuer, requestProperty: 'auth' });
  // @ts-expect-error passport does not know how users are named
  fromPassport();
  // @ts-expect-error the id of a user is a text or a number
  fromPassport((user: { id: { oid: string } }) => user.id);
  // @ts-expect-error nothing is known of a user unless it is said
  fromPassport((user) => user.id);
}

export function middlewareMisused(): void {
  // @ts-expect-error a session resolver is required
  aplSessionMiddleware({});
  // @ts-expect-error the options of subjectSession are not a resolver
  aplSessionMiddleware({ session: { subject } });
  // @ts-expect-error a session id is a text
  aplSessionMiddleware({ session: () => 42 });
  // @ts-expect-error no session needs a reason, or nothing at all
  aplSessionMiddleware({ session: () => ({}) });
}

export const securityMisused: RequestHandler = (req) => {
  // @ts-expect-error labels are added, never replaced
  req.security.labels = new Set();
  // @ts-expect-error a session is found, not set
  req.security.sessionId = 'chat';
  // @ts-expect-error a violation is recorded with deny()
  req.security.violation = { code: 'c', reason: 'r' };
  // @ts-expect-error a violation has a reason
  req.security.deny({ code: 'c' });
  // @ts-expect-error a label is a text
  req.security.labels.add(42);
};

/** And what must: accessors, now or later, of whatever says less than a text. */
export function usedAsMeant(req: Request): AplSessionOptions {
  const options: SubjectSessionOptions = {
    subject: async () => null,
    sessionId: (given) => given.get('mcp-session-id'),
    claim: () => ({ any: ['thing', 1] }),
    caller: () => Promise.resolve(undefined),
    gateway: () => 'gateway',
  };
  const session = subjectSession({ ...options, ...fromExpressJwt({ issuer: [issuer] }), keying: 'strict' });
  void Promise.resolve(session(req)).then((found) => found?.source.length);
  subjectSession({ ...fromPassport((user: { id: number }) => user.id), ...fromExpressSession() });
  const withReason: AplSessionOptions = { session: async () => ({ reason: 'no api key' }), sessionless: 'deny' };
  void withReason;
  return { session };
}
