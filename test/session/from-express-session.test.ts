import { expect } from 'chai';
import cookieParser from 'cookie-parser';
import type { Express, Request, RequestHandler } from 'express';
import session, { MemoryStore, type SessionOptions } from 'express-session';
import request from 'supertest';
import { fromExpressSession } from '../../lib/index.js';
import { thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { sessionFor } from '../support/resolve-session.js';
import { sessionApp } from '../support/session-app.js';

type Noted = { note?: string };
/** What `POST /login` of an app does: writes to the session, so that it is saved. */
const writes: RequestHandler = (req, _res, next) => {
  (req.session as Noted).note = 'logged in';
  next();
};
const onLogin =
  (handler: RequestHandler): RequestHandler =>
  (req, res, next) =>
    req.path === '/login' ? handler(req, res, next) : next();

const identity = { ...sessionFor({ subject: 'alice' }) };
const agent = (sessionId: string): object => ({ ...sessionFor({ subject: 'alice', sessionId }) });

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`Accessor for express-session, ${version}`, () => {
    let store: MemoryStore;
    /** `req.sessionID` of each request. */
    let ids: (string | undefined)[];
    beforeEach(() => {
      store = new MemoryStore();
      ids = [];
    });

    const appWith = (options: Partial<SessionOptions> = {}, ...before: RequestHandler[]): Express =>
      sessionApp(
        express,
        [
          session({ secret: 'of the test', resave: false, saveUninitialized: false, store, ...options }),
          ...before,
          onLogin(writes),
          (req, _res, next) => {
            ids.push(req.sessionID);
            next();
          },
        ],
        { subject: () => 'alice', ...fromExpressSession() },
      );
    /** The Cookie header of a session that was begun and saved. */
    const logIn = async (app: Express): Promise<string> => {
      const { headers } = await request(app).get('/login').expect(200);
      const cookie = (headers['set-cookie'] as unknown as string[] | undefined)?.[0]?.split(';')[0];
      return cookie ?? expect.fail('no cookie was set');
    };
    const ask = (app: Express, cookie: string) => request(app).get('/').set('cookie', cookie);

    for (const saveUninitialized of [false, true]) {
      for (const resave of [false, true]) {
        describe(`saveUninitialized ${saveUninitialized}, resave ${resave}`, () => {
          const options = { saveUninitialized, resave };

          it('the session that a client got before is the session', async () => {
            const app = appWith(options);
            const cookie = await logIn(app);
            for (let n = 0; n < 2; n++) await ask(app, cookie).expect(200, agent(ids[0] ?? ''));
          });

          it('the request in which a session begins has no session id yet', async () => {
            await request(appWith(options)).get('/login').expect(200, identity);
          });

          it('without a cookie the identity is the session, each time', async () => {
            const app = appWith(options);
            for (let n = 0; n < 3; n++) await request(app).get('/').expect(200, identity);
            expect(new Set(ids).size).to.equal(3);
          });

          for (const [what, forge] of [
            ['unsigned', (id: string) => `connect.sid=${id}`],
            ['without signature', (id: string) => `connect.sid=s%3A${id}`],
            ['with an empty signature', (id: string) => `connect.sid=s%3A${id}.`],
            ['with a wrong signature', (id: string) => `connect.sid=s%3A${id}.${'A'.repeat(43)}`],
            ['that does not decode', (id: string) => `connect.sid=%E0%A4%A; other=s%3A${id}.x`],
            ['of another name', (id: string) => `other=s%3A${id}.x`],
          ] as const) {
            it(`G6: a cookie ${what} with the id of a live session is not accepted`, async () => {
              const app = appWith(options);
              await logIn(app);
              await ask(app, forge(ids[0] ?? '')).expect(200, identity);
            });
          }

          it('a signed cookie of a session that is gone is not accepted', async () => {
            const app = appWith(options);
            const cookie = await logIn(app);
            store.clear();
            await ask(app, cookie).expect(200, identity);
            expect(ids[1]).to.not.equal(ids[0]);
          });

          it('a session regenerated before is a session from the next request on', async () => {
            const app = appWith(options, (req, _res, next) => {
              if (req.path === '/regenerate') req.session.regenerate(next);
              else next();
            });
            const cookie = await logIn(app);
            const { headers } = await request(app).get('/regenerate').set('cookie', cookie).expect(200, identity);
            const renewed = (headers['set-cookie'] as unknown as string[])[0] ?? '';
            await ask(app, renewed.split(';')[0] ?? '').expect(200, agent(ids[1] ?? ''));
            await ask(app, cookie).expect(200, identity);
            expect(ids[1]).to.not.equal(ids[0]);
          });

          it('a session destroyed before the middleware is not used', async () => {
            const app = appWith(options, (req, _res, next) =>
              req.path === '/' ? void req.session.destroy(next) : next(),
            );
            await ask(app, await logIn(app)).expect(200, identity);
          });
        });
      }
    }

    it('a session reloaded before the middleware is the session', async () => {
      const app = appWith({}, (req, _res, next) => (req.path === '/' ? void req.session.reload(next) : next()));
      const cookie = await logIn(app);
      await ask(app, cookie).expect(200, agent(ids[0] ?? ''));
    });

    for (const [what, rewrite] of [
      ['unescaped', (cookie: string) => decodeURIComponent(cookie)],
      ['quoted', (cookie: string) => cookie.replace(/=(.*)/, '="$1"')],
      ['after others, broken ones among them', (cookie: string) => `a=1; =; b; c=%; ${cookie}`],
      ['before others', (cookie: string) => `${cookie};a=s%3Ax.y`],
    ] as const) {
      it(`a cookie ${what} that express-session accepts is accepted`, async () => {
        const app = appWith({}, cookieParser());
        const cookie = await logIn(app);
        await ask(app, rewrite(cookie)).expect(200, agent(ids[0] ?? ''));
      });
    }

    it('ids with dots and other characters, and another cookie name', async () => {
      const app = appWith({ genid: () => 'a.b;c=é', name: 'sid' });
      const cookie = await logIn(app);
      await ask(app, cookie).expect(200, agent('a.b;c=é'));
      // the id of another session, of which this one's is the beginning
      await ask(appWith({ genid: () => 'a' }), cookie).expect(200, identity);
    });

    it('a request without express-session in front is refused', async () => {
      const options = { subject: () => 'alice', ...fromExpressSession() };
      await request(sessionApp(express, [], options))
        .get('/')
        .expect(500, /express-session/);
    });

    it('G2: while the store of express-session is down, requests are refused', async () => {
      const app = appWith();
      const cookie = await logIn(app);
      store.emit('disconnect');
      const options = { subject: () => 'alice', ...fromExpressSession() };
      const handler = session({ secret: 'of the test', resave: false, saveUninitialized: false, store });
      store.emit('disconnect');
      await request(sessionApp(express, [handler], options))
        .get('/')
        .set('cookie', cookie)
        .expect(500, /connected/);
      store.emit('connect');
      await ask(app, cookie).expect(200, agent(ids[0] ?? ''));
    });
  });
}

describe('Accessor for express-session, requests of other makes', () => {
  const { sessionId } = fromExpressSession();
  const cookie = 'connect.sid=s%3Aid.sig';
  for (const [what, req] of [
    ['no session', { sessionID: 'id' }],
    ['a session of another id', { sessionID: 'id', session: { id: 'other' } }],
    ['no id', { session: { id: undefined } }],
    ['an empty id', { sessionID: '', session: { id: '' } }],
    ['an id that is no string', { sessionID: 5, session: { id: 5 } }],
  ] as const) {
    it(`${what} has no session`, () => {
      expect(sessionId({ headers: { cookie }, sessionStore: {}, ...req } as unknown as Request)).to.equal(undefined);
    });
  }

  it('a request without express-session is session.invalid', () => {
    const req = { headers: { cookie }, sessionID: 'id', session: { id: 'id' } } as unknown as Request;
    expect(thrownBy(() => sessionId(req))).to.have.property('code', 'session.invalid');
  });
});
