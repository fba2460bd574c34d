import { AsyncLocalStorage } from 'node:async_hooks';
import { expect } from 'chai';
import type { Request, RequestHandler } from 'express';
import request from 'supertest';
import type { SessionResolver } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { addLabel, middlewareFixture, ok, rejecting, SESSION } from '../support/middleware-fixture.js';
import { get, Wire } from '../support/raw-http.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`before the handler, ${version}`, () => {
    const { alarms, appOf, listen, middlewareWith } = middlewareFixture(express);

    describe('requests that arrive together', () => {
      for (const [what, session] of [
        ['with a session', () => SESSION],
        ['without one', () => undefined],
      ] as ReadonlyArray<readonly [string, SessionResolver]>) {
        it(`G6: ${what}, each in the asynchronous context it came with`, async () => {
          const context = new AsyncLocalStorage<string>();
          const enter: RequestHandler = (req, _res, next) => context.run(req.url, next);
          const answer: RequestHandler = (req, res) => void res.send([req.url, context.getStore()].join());
          const { port } = await listen(appOf(enter, middlewareWith({ session }), answer));
          const wire = new Wire(port);
          const paths = Array.from({ length: 20 }, (_, n) => `/${n}`);
          // in one write, so that all of them are parsed in one turn of the event loop
          wire.send(paths.map((path) => get(path, path === '/19' ? { Connection: 'close' } : {})).join(''));
          const answers = [...(await wire.closed()).matchAll(/\r\n\r\n(\S+?)(?=HTTP|$)/g)].map(([, body]) => body);
          expect(answers).to.deep.equal(paths.map((path) => `${path},${path}`));
        });
      }

      it('a request does not wait for timers that an app has faked', async () => {
        const { setImmediate: real } = globalThis;
        const fake: RequestHandler = (_req, _res, next) => {
          globalThis.setImmediate = (() => ({})) as unknown as typeof real;
          next();
          globalThis.setImmediate = real;
        };
        const app = appOf(fake, middlewareWith({ session: () => undefined }), ok);
        await request(app).get('/').expect(200, 'ok');
      });
    });

    it('P52: a response sent by earlier middleware during the load stays', async () => {
      const loading = deferred<string[]>();
      const loadCalled = deferred<void>();
      const store = new ScriptedStore({
        load: () => {
          loadCalled.resolve();
          return loading.promise;
        },
      });
      const timeOut: RequestHandler = (_req, res, next) => {
        next();
        res.once('finish', () => loading.reject(new Error('too late')));
        void loadCalled.promise.then(() => res.status(503).send('timed out'));
      };
      const errors: unknown[] = [];
      const app = appOf(timeOut, middlewareWith({ store, storeTimeoutMs: 60_000 }), ok).use(
        (error: unknown, _req: Request, _res: unknown, _next: unknown) => void errors.push(error),
      );
      await request(app).get('/').expect(503, 'timed out');
      await eventually(() => expect(alarms).to.have.length(1));
      expect(errors).to.deep.equal([]);
    });

    it('P33: headers of a body set before do not describe the denial', async () => {
      const early: RequestHandler = (_req, res, next) => {
        res.set({ 'Content-Type': 'text/html', ETag: '"early"', 'Cache-Control': 'public, max-age=60', Expires: 'x' });
        next();
      };
      for (const store of [new ScriptedStore({ load: rejecting() }), new ScriptedStore({ append: rejecting() })]) {
        const { headers } = await request(appOf(early, middlewareWith({ store }), addLabel, ok))
          .get('/')
          .expect(403);
        expect(headers).to.include({
          'content-type': 'application/problem+json; charset=utf-8',
          'cache-control': 'no-store',
        });
        expect(headers).to.not.have.any.keys('etag', 'expires');
      }
    });
  });
}
