import { expect } from 'chai';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import { expressjwt } from 'express-jwt';
import session from 'express-session';
import { SignJWT } from 'jose';
import { Passport } from 'passport';
import request from 'supertest';
import {
  type Alarm,
  aplSessionMiddleware,
  denyIf,
  fromExpressJwt,
  fromExpressSession,
  fromMcpBearerAuth,
  fromOauth2JwtBearer,
  fromPassport,
  type SubjectSessionOptions,
  subjectSession,
  taint,
} from '../../lib/index.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { AUDIENCE, ISSUER, oauth2JwtBearer, requireBearerAuth, SECRET } from '../support/token-libraries.js';

const jwtOptions = { secret: SECRET, algorithms: ['HS256' as const] };
const bearerOptions = { audience: AUDIENCE, mcd: { issuers: [{ issuer: ISSUER, alg: 'HS256', secret: SECRET }] } };
const verifier = {
  verifyAccessToken: async () => ({ clientId: 'c', scopes: [], extra: { iss: ISSUER, sub: 'alice' } }),
};
const expressSession = (): RequestHandler => session({ secret: SECRET, resave: false, saveUninitialized: false });

interface Case {
  readonly what: string;
  /** What the accessors read from. */
  readonly mounted: () => RequestHandler;
  readonly options: () => SubjectSessionOptions;
  /** How the mistake shows: the code of the error, or the reason of the alarm. */
  readonly told: { readonly code: string } | { readonly reason: string };
}

const TOO_EARLY: readonly Case[] = [
  {
    what: 'express-session, with a subject of its own',
    mounted: expressSession,
    options: () => ({ subject: () => 'alice', ...fromExpressSession() }),
    told: { code: 'session.invalid' },
  },
  {
    what: 'express-session, with a subject in the session that is not there',
    mounted: expressSession,
    options: () => ({
      subject: (req) => (req.session as { user?: string } | undefined)?.user,
      ...fromExpressSession(),
    }),
    told: { code: 'session.invalid' },
  },
  {
    what: 'express-session, with a promise of an empty subject',
    mounted: expressSession,
    options: () => ({ subject: async () => undefined, ...fromExpressSession() }),
    told: { code: 'session.invalid' },
  },
  {
    what: 'passport',
    mounted: () => new Passport().initialize(),
    options: () => fromPassport((user: { id: string }) => user.id),
    told: { code: 'session.invalid' },
  },
  {
    what: 'express-jwt',
    mounted: () => expressjwt(jwtOptions),
    options: () => fromExpressJwt({ issuer: ISSUER }),
    told: { reason: 'no req.auth' },
  },
  {
    what: 'express-oauth2-jwt-bearer',
    mounted: () => oauth2JwtBearer(bearerOptions),
    options: () => fromOauth2JwtBearer({ issuer: ISSUER }),
    told: { reason: 'no req.auth' },
  },
  {
    what: 'express-oauth2-jwt-bearer and express-session',
    mounted: () => oauth2JwtBearer(bearerOptions),
    options: () => ({ ...fromOauth2JwtBearer({ issuer: ISSUER }), ...fromExpressSession() }),
    told: { code: 'session.invalid' },
  },
  {
    what: 'requireBearerAuth of the MCP SDK',
    mounted: () => requireBearerAuth({ verifier }),
    options: () => fromMcpBearerAuth({ issuer: ISSUER }),
    told: { code: 'session.invalid' },
  },
];

const MISNAMED: ReadonlyArray<Omit<Case, 'told'> & { readonly reason: string }> = [
  {
    what: 'the property of express-jwt',
    mounted: () => expressjwt({ ...jwtOptions, requestProperty: 'user' }),
    options: () => fromExpressJwt({ issuer: ISSUER, requestProperty: 'users' }),
    reason: 'no req.users',
  },
  {
    what: 'a member of the session',
    mounted: expressSession,
    options: () => ({ subject: (req) => (req.session as { usr?: string }).usr, ...fromExpressSession() }),
    reason: 'no subject',
  },
  {
    what: 'a member of req.auth',
    mounted: () => expressjwt(jwtOptions),
    options: () => ({ subject: (req) => (req as { auth?: { subject?: string } }).auth?.subject }),
    reason: 'no subject',
  },
];

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`Accessors that find no value, ${version}`, () => {
    let alarms: Alarm[];
    beforeEach(() => {
      alarms = [];
    });

    const apl = (options: SubjectSessionOptions): RequestHandler =>
      aplSessionMiddleware({
        session: subjectSession(options),
        logger: { warn() {}, error() {} },
        onAlarm: (alarm) => void alarms.push(alarm),
      });
    function appOf(...handlers: RequestHandler[]): Express {
      const onError: ErrorRequestHandler = (error, _req, res, _next) => void res.status(500).send(String(error.code));
      const app = express().set('env', 'test');
      for (const handler of handlers) app.use(handler);
      const denied = denyIf('secret', { code: 'c', reason: 'r' });
      return app
        .get('/salaries', taint('secret'), (_req, res) => void res.send('98000'))
        .post('/mail', denied, (_req, res) => void res.send('sent'))
        .use(onError);
    }
    async function askBoth(app: Express): Promise<{ statuses: number[]; texts: string[] }> {
      const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: Math.floor(Date.now() / 1000) + 86_400 };
      const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(SECRET));
      const answers = [
        await request(app).get('/salaries').auth(token, { type: 'bearer' }),
        await request(app).post('/mail').auth(token, { type: 'bearer' }),
      ];
      return { statuses: answers.map(({ status }) => status), texts: answers.map(({ text }) => text) };
    }
    const missing = (reason: string, routes = ['GET /salaries', 'POST /mail']) =>
      routes.map((route) => {
        return { alarm: 'session_missing', route, reason, error: `The request has no session: ${reason}.` };
      });

    for (const { what, mounted, options, told } of TOO_EARLY) {
      it(`G6, G7: mounted before ${what}: ${'code' in told ? `the error ${told.code}` : 'an alarm says so'}`, async () => {
        const { statuses, texts } = await askBoth(appOf(apl(options()), mounted()));
        if ('code' in told)
          expect({ statuses, texts }).to.deep.equal({ statuses: [500, 500], texts: [told.code, told.code] });
        else {
          expect(statuses).to.deep.equal([200, 200]);
          expect(alarms).to.deep.equal(missing(told.reason));
        }
      });
    }

    for (const { what, mounted, options, reason } of MISNAMED) {
      it(`G7: a wrong name for ${what}: an alarm says "${reason}"`, async () => {
        const { statuses } = await askBoth(appOf(mounted(), apl(options())));
        expect(statuses).to.deep.equal([200, 200]);
        expect(alarms).to.deep.equal(missing(reason));
      });
    }

    it('passport and express-session without a login: the alarm says so', async () => {
      const options = { ...fromPassport((user: { id: string }) => user.id), ...fromExpressSession() };
      const app = appOf(expressSession(), new Passport().session(), apl(options));
      await request(app).get('/salaries').expect(200, '98000');
      expect(alarms).to.deep.equal(missing('passport has put no user on the request', ['GET /salaries']));
    });

    it('credentialsRequired: false without a token: no session, and an alarm', async () => {
      const app = appOf(
        expressjwt({ ...jwtOptions, credentialsRequired: false }),
        apl(fromExpressJwt({ issuer: ISSUER })),
      );
      await request(app).get('/salaries').expect(200, '98000');
      expect(alarms).to.deep.equal(missing('no req.auth', ['GET /salaries']));
    });
  });
}
