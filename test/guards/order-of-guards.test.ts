import { expect } from 'chai';
import type { RequestHandler } from 'express';
import request from 'supertest';
import { aplSessionMiddleware, denyIf, type SessionStore, taint } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { HeldStore } from '../support/held-store.js';
import { exchange, get, type RunningServer, serve, Wire } from '../support/raw-http.js';

const VIOLATION = { code: 'session_tainted', reason: 'session touched secret data' };
const MAIL_HEAD =
  'POST /email HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n';

/** What docs/policies.md says about requests of one session that run at the same time. */
for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`a check during the taint of another request, ${version}`, () => {
    let store: HeldStore;
    let server: RunningServer | undefined;
    /** Resolves when the mail request has reached the first middleware, or has passed its guard. */
    let arrived: ReturnType<typeof deferred<void>>;
    let checked: ReturnType<typeof deferred<void>>;

    beforeEach(() => {
      store = new HeldStore();
      arrived = deferred();
      checked = deferred();
    });
    afterEach(async () => {
      await server?.close();
    });

    function aplSession(given: SessionStore): RequestHandler {
      const logger = { warn() {}, error() {} };
      return aplSessionMiddleware({ session: () => 'session-of-alice', store: given, storeTimeoutMs: 60_000, logger });
    }

    async function listen(...middleware: RequestHandler[]): Promise<number> {
      const app = express().set('env', 'test');
      app.post('/email', (_req, _res, next) => {
        arrived.resolve();
        next();
      });
      app.use(...middleware);
      app.get('/compensation', taint('secret'), (_req, res) => void res.json({ engineer: 98_000 }));
      const passed: RequestHandler = (_req, _res, next) => {
        checked.resolve();
        next();
      };
      app.post('/email', denyIf('secret', VIOLATION), passed, express.json(), (req, res) => {
        res.status(202).json(req.body);
      });
      server = await serve(app);
      return server.port;
    }

    /** Sends a mail whose text is known only once the salaries have come back. */
    async function mailSalaries(port: number, begun: Promise<void>): Promise<string> {
      const mail = new Wire(port);
      mail.send(`${MAIL_HEAD}{"text":"`);
      await begun;
      store.release();
      const { text } = await exchange(port, get('/compensation', { Connection: 'close' }));
      mail.send(`${/98000/.exec(text)?.[0]}abc"}`);
      return mail.closed();
    }

    it('a body that arrives after the check may carry what was learnt later', async () => {
      const port = await listen(aplSession(store));
      expect(await mailSalaries(port, checked.promise)).to.match(/^HTTP\/1\.1 202 .*98000abc/s);
    });

    it('G4: with the body read first, the check sees all that came before', async () => {
      const port = await listen(express.json(), aplSession(store));
      expect(await mailSalaries(port, arrived.promise)).to.match(/^HTTP\/1\.1 403 .*session_tainted/s);
    });

    it('a pending label denies at once, and the denial waits for the append', async () => {
      const port = await listen(express.json(), aplSession(store));
      const salaries = new Wire(port);
      salaries.send(get('/compensation', { Connection: 'close' }));
      await store.called();
      const mail = new Wire(port);
      mail.send(`${MAIL_HEAD}{"text":"harmless"}`);
      await arrived.promise;
      expect(salaries.received + mail.received).to.equal('');
      store.release();
      expect(await mail.closed()).to.match(/^HTTP\/1\.1 403 .*session_tainted/s);
      expect(await salaries.closed()).to.contain('98000');
    });
  });

  describe(`the order of guards, ${version}`, () => {
    const handler: RequestHandler = (_req, res) => void res.send('handled');

    function appOf(store: HeldStore, ...handlers: RequestHandler[]) {
      store.release();
      const logger = { warn() {}, error() {} };
      return express()
        .set('env', 'test')
        .use(aplSessionMiddleware({ session: () => 's', store, logger }), ...handlers, handler);
    }

    it('a denial before taint() adds no label, one after it does', async () => {
      const denies = denyIf(() => true, VIOLATION);
      for (const [handlers, appends] of [
        [[denies, taint('secret')], []],
        [[taint('secret'), denies], [['secret']]],
      ] as const) {
        const store = new HeldStore();
        await request(appOf(store, ...handlers))
          .get('/')
          .expect(403);
        expect(store.appends).to.deep.equal(appends);
      }
    });

    it('denyIf() before taint() of the same label lets one request through', async () => {
      const app = appOf(new HeldStore(), denyIf('secret', VIOLATION), taint('secret'));
      await request(app).get('/').expect(200);
      await request(app).get('/').expect(403);
    });
  });
}
