import { createServer, IncomingMessage } from 'node:http';
import { expect } from 'chai';
import type { Express, Request, RequestHandler } from 'express';
import request from 'supertest';
import type { RequestSecurity } from '../../lib/index.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { answerError, middlewareFixture, ok, SESSION } from '../support/middleware-fixture.js';

/** Where `req.security` is found: on the request, on a prototype, or nowhere. */
function placeOf(req: object): 'own' | 'prototype' | 'nowhere' {
  if (Object.hasOwn(req, 'security')) return 'own';
  return 'security' in req ? 'prototype' : 'nowhere';
}

const tellPlace: RequestHandler = (req, res) => void res.json([placeOf(req), req.security?.sessionId]);

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`the property req.security, ${version}`, () => {
    const { appOf, middlewareWith } = middlewareFixture(express);
    const withMiddleware = (...handlers: RequestHandler[]): Express =>
      appOf(middlewareWith({ store: new ScriptedStore() }), ...handlers);
    const get = (app: Express, path = '/') => request(app).get(path);

    /** Gives an app a prototype of requests of its own, which no other app shares. */
    function withOwnPrototype(app: Express, prepare: (prototype: object) => object): Express {
      const { security: _, ...members } = Object.getOwnPropertyDescriptors(express.request as Request);
      const shared = prepare(Object.create(IncomingMessage.prototype, members as PropertyDescriptorMap));
      app.request = Object.create(shared, { app: { value: app, configurable: true, writable: true } });
      return app;
    }

    it('is an accessor on the prototype that all requests share', async () => {
      const handler: RequestHandler = (req, res) => {
        const listed: string[] = [];
        for (const name in req) listed.push(name);
        res.json([placeOf(req), Object.keys(req).includes('security'), listed.includes('security')]);
      };
      await get(withMiddleware(handler)).expect(200, ['prototype', false, true]);
      expect(Object.getOwnPropertyDescriptor(express.request, 'security')).to.include({ configurable: true });
    });

    it('is undefined before the middleware, and in an app without it', async () => {
      await get(withMiddleware(ok)).expect(200);
      const tell: RequestHandler = (req, res) => void res.json(String(req.security));
      await get(express().use(tell)).expect(200, '"undefined"');
      expect((express.request as Request).security).to.equal(undefined);
    });

    it('G6: each of many requests under way has its own', async () => {
      const app = appOf(
        middlewareWith({ store: new ScriptedStore(), session: (req) => req.get('x-session') }),
        (req, res) => void setImmediate(() => res.json(req.security.sessionId)),
      );
      const ids = ['a', 'b', 'c', 'd'];
      const answers = await Promise.all(ids.map((id) => get(app).set('x-session', id)));
      expect(answers.map(({ body }) => body)).to.deep.equal(ids);
    });

    it('an assignment makes an own property of that request only', async () => {
      const mine = { mine: true } as unknown as RequestSecurity;
      const app = withMiddleware((req, res) => {
        if (req.path === '/set') req.security = mine;
        res.json([placeOf(req), req.security === mine]);
      });
      await get(app, '/set').expect(200, ['own', true]);
      await get(app).expect(200, ['prototype', false]);
    });

    it('is there in routers and sub-apps, which change the prototype', async () => {
      const subApp = express().use('/deep', express().use(tellPlace)).use(tellPlace);
      const app = withMiddleware().use('/sub', subApp).use('/router', express.Router().use(tellPlace));
      for (const path of ['/sub', '/sub/deep', '/router']) await get(app, path).expect(200, ['prototype', SESSION]);
    });

    it('is there on derived objects and proxies, and not on spread copies', async () => {
      const app = withMiddleware((req, res) => {
        const copies = [Object.create(req), new Proxy(req, {}), { ...req }] as Request[];
        res.json(copies.map((copy) => copy.security === req.security));
      });
      await get(app).expect(200, [true, true, false]);
    });

    it('is an own property if the prototype is frozen', async () => {
      const app = withOwnPrototype(withMiddleware(tellPlace), Object.freeze);
      for (let n = 0; n < 3; n++) await get(app).expect(200, ['own', SESSION]);
    });

    it('is an own property if other code has defined it on the prototype', async () => {
      const define = (prototype: object) =>
        Object.defineProperty(prototype, 'security', { value: undefined, writable: true });
      const app = withOwnPrototype(withMiddleware(tellPlace), define);
      for (let n = 0; n < 3; n++) await get(app).expect(200, ['own', SESSION]);
    });

    it('G6: an object that requests share is not extended: middleware.conflict', async () => {
      const app = withMiddleware(tellPlace).use(answerError);
      await get(app).expect(200, ['prototype', SESSION]);
      const shared = { labels: ['early'] };
      Object.assign(app.request, { security: shared });
      expect((await get(app).expect(500)).text).to.contain('middleware.conflict');
      expect(shared).to.deep.equal({ labels: ['early'] });
    });

    it('is an own property of requests that Express has not made', async () => {
      class OwnRequest extends IncomingMessage {}
      const middleware = middlewareWith({ store: new ScriptedStore() });
      for (const options of [{}, { IncomingMessage: OwnRequest }]) {
        const server = createServer(options, (req, res) => {
          middleware(req as never, res as never, () => res.end(placeOf(req)));
        });
        await request(server).get('/').expect(200, 'own');
      }
      expect(Object.hasOwn(OwnRequest.prototype, 'security')).to.equal(false);
      expect(Object.hasOwn(IncomingMessage.prototype, 'security')).to.equal(false);
    });

    it('a second mount restores it in an app of another copy of Express', async () => {
      const store = new ScriptedStore();
      const middleware = middlewareWith({ store });
      const other = withOwnPrototype(express().use(middleware, tellPlace), (prototype) => prototype);
      const app = appOf(middleware, (req, res) => void other(req, res));
      await get(app).expect(200, ['prototype', SESSION]);
      expect(store.loads).to.have.length(1);
    });
  });
}
