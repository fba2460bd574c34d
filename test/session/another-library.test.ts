import { expect } from 'chai';
import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import { expressjwt } from 'express-jwt';
import session from 'express-session';
import { SignJWT } from 'jose';
import { Passport, Strategy } from 'passport';
import request from 'supertest';
import {
  aplSessionMiddleware,
  fromExpressJwt,
  fromExpressSession,
  fromMcpBearerAuth,
  fromOauth2JwtBearer,
  fromPassport,
  type SubjectSessionOptions,
  subjectSession,
} from '../../lib/index.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { AUDIENCE, ISSUER, oauth2JwtBearer, requireBearerAuth, SECRET } from '../support/token-libraries.js';

/** The suite may run for longer than a token of some minutes lives. */
const inADay = Math.floor(Date.now() / 1000) + 86_400;

/** What an app mounts, by what it is. */
const LIBRARIES = {
  'express-jwt': () => [expressjwt({ secret: SECRET, algorithms: ['HS256'] })],
  'express-oauth2-jwt-bearer': () => [
    oauth2JwtBearer({ audience: AUDIENCE, mcd: { issuers: [{ issuer: ISSUER, alg: 'HS256', secret: SECRET }] } }),
  ],
  'the MCP SDK': () => [
    requireBearerAuth({
      verifier: {
        verifyAccessToken: async (token: string) => ({
          token,
          clientId: 'alice',
          scopes: [],
          expiresAt: inADay,
          extra: { iss: ISSUER, sub: 'alice' },
        }),
      },
    }),
  ],
  'the MCP SDK without extra': () => [
    requireBearerAuth({
      verifier: {
        verifyAccessToken: async (token: string) => ({
          token,
          clientId: 'alice',
          scopes: [],
          expiresAt: inADay,
        }),
      },
    }),
  ],
  'express-session': () => [session({ secret: SECRET, resave: false, saveUninitialized: false })],
  passport: () => {
    class Fixed extends Strategy {
      override name = 'fixed';

      override authenticate(_req: Request): void {
        this.success({ id: 'alice', profile: { name: 'Alice' } });
      }
    }
    const passport = new Passport().use(new Fixed());
    return [passport.authenticate('fixed', { session: false })];
  },
  'a package that sets req.session': () => [setting({ session: { user: 'alice', id: 'id' } })],
  'a package that sets req.user': () => [setting({ user: { id: 'alice' } })],
  'a package that sets req.auth to a function': () => [setting({ auth: () => ({ userId: 'alice' }) })],
} satisfies Record<string, () => RequestHandler[]>;

function setting(members: object): RequestHandler {
  return (req, _res, next) => {
    Object.assign(req, members);
    next();
  };
}

type Row = readonly [library: keyof typeof LIBRARIES, accessors: SubjectSessionOptions, text: string];

const jwt = (options: object = {}): SubjectSessionOptions => fromExpressJwt({ issuer: ISSUER, ...options });
const oauth2 = (options: object = {}): SubjectSessionOptions => fromOauth2JwtBearer({ issuer: ISSUER, ...options });
const mcp = (options: object = {}): SubjectSessionOptions => fromMcpBearerAuth({ issuer: ISSUER, ...options });
const subject = (): string => 'alice';
const readsJwt = (place = 'req.auth'): string => `fromExpressJwt reads ${place} of express-jwt`;
const readsOauth2 = 'fromOauth2JwtBearer reads req.auth of express-oauth2-jwt-bearer';
const OAUTH2_OR_JWT = `${readsOauth2}, which has header, payload and token; use fromExpressJwt if express-jwt has set it`;
const readsMcp = 'fromMcpBearerAuth reads req.auth of requireBearerAuth of the MCP SDK';
const MCP_NO_EXTRA =
  'req.auth has no extra; the verifier of requireBearerAuth must put the claims there (use fromExpressJwt if express-jwt has set req.auth)';

/** Each accessor with what another library has set, also where a member of that value would fit. */
const WRONG_LIBRARY: readonly Row[] = [
  [
    'express-oauth2-jwt-bearer',
    jwt(),
    `${readsJwt()}, but express-oauth2-jwt-bearer has set it; use fromOauth2JwtBearer`,
  ],
  [
    'express-oauth2-jwt-bearer',
    jwt({ issuer: null, subjectClaim: 'token' }),
    `${readsJwt()}, but express-oauth2-jwt-bearer has set it; use fromOauth2JwtBearer`,
  ],
  ['the MCP SDK', jwt(), `${readsJwt()}, but requireBearerAuth of the MCP SDK has set it; use fromMcpBearerAuth`],
  [
    'the MCP SDK without extra',
    jwt({ issuer: null, subjectClaim: 'clientId' }),
    `${readsJwt()}, but requireBearerAuth of the MCP SDK has set it; use fromMcpBearerAuth`,
  ],
  ['a package that sets req.auth to a function', jwt(), `${readsJwt()}, an object; got a function`],
  [
    'passport',
    jwt({ requestProperty: 'user' }),
    "an authenticated request must have 'sub' as a non-empty, well-formed string; got undefined",
  ],
  [
    'express-session',
    jwt({ issuer: null, requestProperty: 'session' }),
    "an authenticated request must have 'sub' as a non-empty, well-formed string; got undefined",
  ],
  ['express-jwt', oauth2(), OAUTH2_OR_JWT],
  ['the MCP SDK', oauth2(), `${readsOauth2}, but requireBearerAuth of the MCP SDK has set it; use fromMcpBearerAuth`],
  ['a package that sets req.auth to a function', oauth2(), `${readsOauth2}, an object; got a function`],
  ['express-jwt', mcp(), MCP_NO_EXTRA],
  ['the MCP SDK without extra', mcp(), MCP_NO_EXTRA],
  [
    'express-oauth2-jwt-bearer',
    mcp(),
    `${readsMcp}, but express-oauth2-jwt-bearer has set it; use fromOauth2JwtBearer`,
  ],
  [
    'express-oauth2-jwt-bearer',
    { subject, caller: fromMcpBearerAuth({ issuer: ISSUER }).caller },
    `${readsMcp}, but express-oauth2-jwt-bearer has set it; use fromOauth2JwtBearer`,
  ],
  ['express-jwt', { subject, claim: fromOauth2JwtBearer({ issuer: ISSUER }).claim }, OAUTH2_OR_JWT],
  [
    'a package that sets req.user',
    fromPassport((user: { id: string }) => user.id),
    'passport has not seen the request; mount it before aplSessionMiddleware',
  ],
  [
    'passport',
    fromPassport((user: { sub: string }) => user.sub),
    'the id of a user from passport must be a non-empty string or a safe integer; the function in fromPassport() has returned undefined',
  ],
  [
    'passport',
    fromPassport((user: { account: { id: string } }) => user.account.id),
    'the user that passport has put on the request does not have the members that fromPassport() reads; see the cause',
  ],
  [
    'a package that sets req.session',
    { subject, ...fromExpressSession() },
    'another package than express-session has set req.session; write a sessionId accessor for that package in place of fromExpressSession()',
  ],
  [
    'express-jwt',
    { ...jwt(), ...fromExpressSession() },
    'express-session has not served the request; mount it before, and check that its store is connected',
  ],
];

/** Options whose value is misspelt, or whose library is not mounted although the request has a subject. */
const WRONG_VALUE: readonly Row[] = [
  [
    'express-jwt',
    jwt({ subjectClaim: 'user_id' }),
    "an authenticated request must have 'user_id' as a non-empty, well-formed string; got undefined",
  ],
  ['express-jwt', jwt({ issuer: 'https://isuer.example' }), "the issuer of the token is not in 'issuer'"],
  ['express-jwt', jwt({ issuer: null }), "the token has an issuer; list the issuers that the app accepts in 'issuer'"],
  [
    'passport',
    { ...fromPassport((user: { id: string }) => user.id), claim: fromExpressJwt({ issuer: ISSUER }).claim },
    'the request has a subject but no req.auth; mount what sets it before this middleware',
  ],
  [
    'passport',
    { ...fromPassport((user: { id: string }) => user.id), claim: fromOauth2JwtBearer({ issuer: ISSUER }).claim },
    'the request has a subject but no req.auth; mount what sets it before this middleware',
  ],
  [
    'passport',
    { ...fromPassport((user: { id: string }) => user.id), caller: fromMcpBearerAuth({ issuer: ISSUER }).caller },
    'req.auth is missing; mount requireBearerAuth before aplSessionMiddleware',
  ],
];

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`accessors that find the wrong value, ${version}`, () => {
    const onError: ErrorRequestHandler = ({ code, message }, _req, res, _next) =>
      void res.status(500).json({ code, message });

    for (const [library, accessors, text] of [...WRONG_LIBRARY, ...WRONG_VALUE]) {
      const options = Object.keys(accessors).join(', ');
      it(`G6: ${options} with ${library}: session.invalid, "${text.slice(0, 70)}"`, async () => {
        const app = express().set('env', 'test');
        for (const handler of LIBRARIES[library]()) app.use(handler);
        app.use(aplSessionMiddleware({ session: subjectSession(accessors) }));
        app.use((_req, res) => void res.send('handled')).use(onError);
        const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: inADay };
        const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(SECRET));
        const { status, body } = await request(app).get('/').auth(token, { type: 'bearer' });
        expect({ status, body }).to.deep.equal({
          status: 500,
          body: { code: 'session.invalid', message: `subjectSession: ${text}.` },
        });
      });
    }
  });
}
