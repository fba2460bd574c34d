import { expect } from 'chai';
import express, { type Request, type RequestHandler } from 'express';
import { expressjwt } from 'express-jwt';
import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import request from 'supertest';
import {
  AplSessionError,
  fromExpressJwt,
  fromMcpBearerAuth,
  fromOauth2JwtBearer,
  type TokenAccessors,
  type TokenSessionOptions,
} from '../../lib/index.js';
import { thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { type Given, sessionFor } from '../support/resolve-session.js';
import { sessionApp } from '../support/session-app.js';
import {
  AUDIENCE,
  InvalidTokenError,
  ISSUER,
  oauth2JwtBearer,
  requireBearerAuth,
  SECRET,
} from '../support/token-libraries.js';

const FORGED = 'another secret of the tests, as long as that';
const OTHER = 'https://other-issuer.example';

function token(claims: JWTPayload, secret = SECRET): Promise<string> {
  /** The suite may run for longer than a token of some minutes lives. */
  const inADay = Math.floor(Date.now() / 1000) + 86_400;
  const jwt = new SignJWT({ aud: AUDIENCE, exp: inADay, ...claims });
  return jwt.setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret));
}

/** A verifier as the MCP SDK wants it: the claims of a verified token go to `extra`. */
const mcpVerifier = {
  async verifyAccessToken(text: string) {
    try {
      const { payload } = await jwtVerify(text, Buffer.from(SECRET));
      return { token: text, clientId: 'client-1', scopes: [], expiresAt: payload.exp, extra: payload };
    } catch (error) {
      throw error instanceof errors.JOSEError ? new InvalidTokenError(error.code) : error;
    }
  },
};

interface Package {
  readonly name: string;
  readonly authentication: RequestHandler;
  readonly from: (options: TokenSessionOptions) => TokenAccessors;
  /** What the package itself adds to the identity. */
  readonly identity: Given;
  /** The same package, letting requests without a token pass. */
  readonly optional?: RequestHandler;
  /** Where the verified claims are, for requests that no package has made. */
  readonly request: (claims: unknown) => object;
}

const issuers = { audience: AUDIENCE, mcd: { issuers: [ISSUER, OTHER].map(symmetric) } };
function symmetric(issuer: string): object {
  return { issuer, alg: 'HS256', secret: SECRET };
}

const PACKAGES: readonly Package[] = [
  {
    name: 'express-jwt',
    authentication: expressjwt({ secret: SECRET, algorithms: ['HS256'] }),
    optional: expressjwt({ secret: SECRET, algorithms: ['HS256'], credentialsRequired: false }),
    from: fromExpressJwt,
    identity: {},
    request: (claims) => ({ auth: claims }),
  },
  {
    name: 'express-oauth2-jwt-bearer',
    authentication: oauth2JwtBearer(issuers),
    optional: oauth2JwtBearer({ ...issuers, authRequired: false }),
    from: fromOauth2JwtBearer,
    identity: {},
    request: (claims) => ({ auth: { payload: claims, header: {}, token: 't' } }),
  },
  {
    name: 'MCP SDK requireBearerAuth',
    authentication: requireBearerAuth({ verifier: mcpVerifier }),
    from: fromMcpBearerAuth,
    identity: { caller: 'client-1' },
    request: (extra) => ({ auth: { token: 't', clientId: 'client-1', scopes: [], extra } }),
  },
];

for (const { name, authentication, optional, from, identity, request: requestWith } of PACKAGES) {
  describe(`Accessors for ${name}`, () => {
    for (const [version, express] of EXPRESS_VERSIONS) {
      describe(version, () => {
        const ask = (options: TokenSessionOptions, bearer?: string, handler: RequestHandler = authentication) => {
          const app = sessionApp(express, [handler], {
            ...from(options),
            sessionId: (req) => req.get('mcp-session-id'),
          });
          const asked = request(app).get('/');
          return bearer === undefined ? asked : asked.set('authorization', `Bearer ${bearer}`);
        };
        const alice = { iss: ISSUER, sub: 'alice' };

        it('one issuer: the subject is sub, as with CPEX', async () => {
          const bearer = await token(alice);
          await ask({ issuer: ISSUER }, bearer).expect(200, { ...sessionFor({ subject: 'alice', ...identity }) });
          await ask({ issuer: ISSUER }, bearer)
            .set('mcp-session-id', 'chat')
            .expect(200, { ...sessionFor({ subject: 'alice', sessionId: 'chat' }) });
        });

        it('the session_id claim is the tier token_claim, and a number is its digits', async () => {
          for (const claim of ['s-1', 42]) {
            await ask({ issuer: ISSUER }, await token({ ...alice, session_id: claim })).expect(200, {
              ...sessionFor({ subject: 'alice', claim }),
            });
          }
        });

        it('the names of the claims can be chosen', async () => {
          const options = { issuer: ISSUER, subjectClaim: 'oid', sessionClaim: 'sid' };
          await ask(options, await token({ iss: ISSUER, sub: 'x', oid: 'alice', sid: 's', session_id: 'y' })).expect(
            200,
            {
              ...sessionFor({ subject: 'alice', claim: 's' }),
            },
          );
        });

        it('G6: one sub under two issuers is two subjects', async () => {
          const options = { issuer: [ISSUER, OTHER] };
          const ids = [];
          for (const iss of [ISSUER, OTHER]) {
            const { body } = await ask(options, await token({ iss, sub: 'alice' }))
              .set('mcp-session-id', 'chat')
              .expect(200);
            expect(body).to.deep.equal(sessionFor({ subject: JSON.stringify([iss, 'alice']), sessionId: 'chat' }));
            ids.push(body.id);
          }
          expect(new Set(ids).size).to.equal(2);
        });

        it('G6: a token of an issuer that the accessor does not name is refused', async () => {
          const { text } = await ask({ issuer: ISSUER }, await token({ iss: OTHER, sub: 'alice' })).expect(500);
          expect(text)
            .to.match(/session|issuer/)
            .and.not.include('alice');
        });

        it('a forged, expired or missing token never reaches the session', async () => {
          const forged = await token(alice, FORGED);
          const expired = await token({ ...alice, exp: 1 });
          const unsigned = `${forged.split('.').slice(0, 2).join('.')}.`;
          for (const bearer of [forged, expired, unsigned, 'nonsense'])
            await ask({ issuer: ISSUER }, bearer).expect(401);
          await ask({ issuer: ISSUER }).expect(401);
        });

        if (optional) {
          it('not authenticated, where the package allows that: no session', async () => {
            await ask({ issuer: ISSUER }, undefined, optional).set('mcp-session-id', 'chat').expect(200, 'null');
          });
        } else {
          it('a request without the package in front is refused', async () => {
            await ask({ issuer: ISSUER }, undefined, (_req, _res, next) => next()).expect(
              500,
              /mount requireBearerAuth/,
            );
          });
        }

        it('a token without the subject is refused', async () => {
          await ask({ issuer: ISSUER }, await token({ iss: ISSUER })).expect(500, /sub/);
        });
      });
    }

    const subjectOf = (options: TokenSessionOptions, claims: unknown): unknown =>
      from(options).subject(requestWith(claims) as Request);

    it('issuer null accepts only tokens without an issuer', () => {
      expect(subjectOf({ issuer: null }, { sub: 'alice' })).to.equal('alice');
      for (const iss of [ISSUER, '', null]) {
        expect(thrownBy(() => subjectOf({ issuer: null }, { sub: 'alice', iss }))).to.have.property(
          'code',
          'session.invalid',
        );
      }
    });

    it('a list of one issuer is bound too, so a second one changes no id', () => {
      expect(subjectOf({ issuer: [ISSUER] }, { iss: ISSUER, sub: 'alice' })).to.equal(
        subjectOf({ issuer: [OTHER, ISSUER] }, { iss: ISSUER, sub: 'alice' }),
      );
    });

    for (const [what, claims] of [
      ['no object', 'a text'],
      ['null', null],
      ['an array', ['alice']],
      ['no sub', { iss: ISSUER }],
      ['an empty sub', { iss: ISSUER, sub: '' }],
      ['a sub that is a number', { iss: ISSUER, sub: 42 }],
      ['a sub that is null', { iss: ISSUER, sub: null }],
      ['a sub with a lone surrogate', { iss: ISSUER, sub: 'a\ud800' }],
      ['a sub that is inherited', Object.create({ iss: ISSUER, sub: 'alice' })],
      ['no issuer', { sub: 'alice' }],
      ['an issuer that is no string', { iss: [ISSUER], sub: 'alice' }],
      ['an issuer that is not named', { iss: `${ISSUER}/`, sub: 'alice' }],
    ] as const) {
      it(`claims with ${what}: session.invalid, not a missing session`, () => {
        for (const issuer of [ISSUER, [ISSUER, OTHER]]) {
          const error = thrownBy(() => subjectOf({ issuer }, claims));
          expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'session.invalid');
          expect((error as Error).message)
            .to.not.include('alice')
            .and.not.include(ISSUER);
        }
      });
    }

    it('an inherited session_id claim is ignored', () => {
      expect(from({ issuer: null, sessionClaim: 'toString' }).claim(requestWith({ sub: 'a' }) as Request)).to.equal(
        undefined,
      );
    });

    for (const [what, options] of [
      ['no options', undefined],
      ['no issuer', {}],
      ['an empty issuer', { issuer: '' }],
      ['an empty list of issuers', { issuer: [] }],
      ['an issuer that is no string', { issuer: [5] }],
      ['an unknown option', { issuer: ISSUER, isuer: ISSUER }],
      ['an empty claim name', { issuer: ISSUER, subjectClaim: '' }],
    ] as const) {
      it(`${what} is config.invalid`, () => {
        const error = thrownBy(() => from(options as unknown as TokenSessionOptions));
        expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
      });
    }
  });
}

describe('Accessors for the wrong package', () => {
  const claims = { iss: ISSUER, sub: 'alice' };
  for (const { name, from } of PACKAGES) {
    for (const other of PACKAGES.filter((candidate) => candidate.name !== name)) {
      it(`accessors for ${name} reject the request of ${other.name}`, () => {
        const req = other.request(claims) as Request;
        expect(thrownBy(() => from({ issuer: ISSUER }).subject(req))).to.have.property('code', 'session.invalid');
      });
    }
  }
});

describe('Accessors for express-jwt with its requestProperty', () => {
  for (const property of ['user', 'who.am.i']) {
    it(property, async () => {
      const handler = expressjwt({ secret: SECRET, algorithms: ['HS256'], requestProperty: property });
      const app = sessionApp(express, [handler], fromExpressJwt({ issuer: ISSUER, requestProperty: property }));
      await request(app)
        .get('/')
        .set('authorization', `Bearer ${await token({ iss: ISSUER, sub: 'alice' })}`)
        .expect(200, { ...sessionFor({ subject: 'alice' }) });
    });
  }
});

describe('Accessors for the MCP SDK', () => {
  it('the client is the caller, never the subject', async () => {
    const { caller, subject } = fromMcpBearerAuth({ issuer: null });
    const req = {
      auth: { token: 't', clientId: 'client-1', scopes: [], extra: { sub: 'alice' } },
    } as unknown as Request;
    expect(caller(req)).to.equal('client-1');
    expect(subject(req)).to.equal('alice');
  });

  for (const [what, auth] of [
    ['no extra', { clientId: 'client-1' }],
    ['an empty client', { clientId: '', extra: { sub: 'alice' } }],
    ['no client', { extra: { sub: 'alice' } }],
    ['a text', 'client-1'],
    ['null', null],
  ] as const) {
    it(`auth with ${what} is session.invalid`, () => {
      const { caller, subject } = fromMcpBearerAuth({ issuer: null });
      const req = { auth } as unknown as Request;
      expect(thrownBy(() => [subject(req), caller(req)])).to.have.property('code', 'session.invalid');
    });
  }
});
