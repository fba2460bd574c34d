import { expect } from 'chai';
import type { Express, Request, RequestHandler } from 'express';
import session, { MemoryStore } from 'express-session';
import { Passport, Strategy } from 'passport';
import request from 'supertest';
import { AplSessionError, fromExpressSession, fromPassport } from '../../lib/index.js';
import { thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { sessionFor } from '../support/resolve-session.js';
import { sessionApp } from '../support/session-app.js';

interface User {
  readonly id?: unknown;
  readonly provider?: string;
}

/** Takes the user from a header, in place of a password. */
class HeaderStrategy extends Strategy {
  override name = 'header';

  override authenticate(req: Request): void {
    const user = req.get('x-user');
    if (user === undefined) this.fail();
    else this.success(JSON.parse(user));
  }
}

const idOf = (user: User): string => user.id as string;

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`Accessor for passport, ${version}`, () => {
    let passport: InstanceType<typeof Passport>;
    beforeEach(() => {
      passport = new Passport();
      passport.use(new HeaderStrategy());
      passport.serializeUser((user, done) => done(null, JSON.stringify(user)));
      passport.deserializeUser((text: string, done) => done(null, JSON.parse(text)));
    });

    const stateless = (options: Parameters<typeof fromPassport<User>>[0] = idOf): Express =>
      sessionApp(express, [passport.authenticate('header', { session: false })], fromPassport(options));
    const ask = (app: Express, user?: User) => {
      const asked = request(app).get('/');
      return user === undefined ? asked : asked.set('x-user', JSON.stringify(user));
    };

    it('the id of the user is the subject', async () => {
      await ask(stateless(), { id: 'alice' }).expect(200, { ...sessionFor({ subject: 'alice' }) });
    });

    it('an integer id is used as its digits', async () => {
      await ask(stateless(), { id: 0 }).expect(200, { ...sessionFor({ subject: '0' }) });
      await ask(stateless(), { id: 42 }).expect(200, { ...sessionFor({ subject: '42' }) });
    });

    it('G6: one id in two strategies is two subjects, if idOf tells them apart', async () => {
      const app = stateless((user) => JSON.stringify([user.provider, user.id]));
      const ids = [];
      for (const provider of ['google', 'github']) {
        ids.push((await ask(app, { provider, id: '1' }).expect(200)).body.id);
      }
      expect(new Set(ids).size).to.equal(2);
    });

    for (const [what, id] of [
      ['no id', undefined],
      ['null', null],
      ['an empty id', ''],
      ['a fraction', 1.5],
      ['an integer that was rounded', 2 ** 53],
      ['an object', { oid: 'alice' }],
      ['an array', ['alice']],
      ['a boolean', true],
    ] as const) {
      it(`a user with ${what} as id is refused, not treated as logged out`, async () => {
        await ask(stateless(), { id }).expect(500, /id of a user/);
      });
    }

    it('a user whose id is a promise is refused, and its rejection is ignored', async () => {
      // mocha fails for a rejection that nothing handles
      const idIn = () => Promise.reject(new Error('no such user')) as unknown as string;
      await ask(stateless(idIn), { id: 'alice' }).expect(500, /has returned a promise/);
    });

    it('an error of idOf goes to the error handling of Express', async () => {
      const app = stateless(() => {
        throw new Error('no such user');
      });
      await ask(app, { id: 'alice' }).expect(500, /no such user/);
    });

    it('passport rejects the request: the resolver is not called', async () => {
      await ask(stateless()).expect(401);
    });

    it('a request without passport in front is refused', async () => {
      await ask(sessionApp(express, [], fromPassport(idOf)), { id: 'alice' }).expect(500, /mount it before/);
    });

    it('a user that other middleware has put on the request is refused', async () => {
      const pretend: RequestHandler = (req, _res, next) => {
        Object.assign(req, { user: { id: 'alice' } });
        next();
      };
      await ask(sessionApp(express, [pretend], fromPassport(idOf))).expect(500, /mount it before/);
    });

    describe('with login sessions', () => {
      const stateful = (userProperty?: string): Express =>
        sessionApp(
          express,
          [
            session({ secret: 's', resave: false, saveUninitialized: false, store: new MemoryStore() }),
            passport.initialize({ ...(userProperty && { userProperty }) }),
            passport.session(),
            (req, res, next) => (req.path === '/login' ? passport.authenticate('header')(req, res, next) : next()),
            (req, _res, next) => (req.path === '/logout' ? req.logout(next) : next()),
          ],
          { ...fromPassport(idOf), ...fromExpressSession() },
        );
      const logIn = async (app: Express, user: User): Promise<string> => {
        const { headers } = await request(app).get('/login').set('x-user', JSON.stringify(user)).expect(200);
        return (headers['set-cookie'] as unknown as string[])[0]?.split(';')[0] ?? '';
      };

      for (const userProperty of [undefined, 'account']) {
        it(`logged out, logged in, logged out again; userProperty ${userProperty}`, async () => {
          const app = stateful(userProperty);
          await request(app).get('/').expect(200, 'null');
          const cookie = await logIn(app, { id: 'alice' });
          const sessionId = decodeURIComponent(cookie).replace(/^connect\.sid=s:(.*)\..*$/, '$1');
          await request(app)
            .get('/')
            .set('cookie', cookie)
            .expect(200, { ...sessionFor({ subject: 'alice', sessionId }) });
          await request(app).get('/logout').set('cookie', cookie).expect(200, 'null');
          await request(app).get('/').set('cookie', cookie).expect(200, 'null');
        });
      }

      it('G6: bob with a cookie of alice is alice, with his own he is bob', async () => {
        const app = stateful();
        const cookies = [await logIn(app, { id: 'alice' }), await logIn(app, { id: 'bob' })];
        const ids = await Promise.all(
          cookies.map(async (cookie) => (await request(app).get('/').set('cookie', cookie)).body.id),
        );
        expect(new Set(ids).size).to.equal(2);
      });
    });
  });
}

describe('Accessor for passport, its argument', () => {
  for (const value of [undefined, null, 'id', {}]) {
    it(`${JSON.stringify(value)} is config.invalid`, () => {
      const error = thrownBy(() => fromPassport(value as unknown as typeof idOf));
      expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
    });
  }
});
