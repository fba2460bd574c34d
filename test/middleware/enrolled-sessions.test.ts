import { expect } from 'chai';
import type { Express, RequestHandler } from 'express';
import request from 'supertest';
import {
  type Alarm,
  type AplSessionMiddleware,
  type AplSessionOptions,
  aplSessionMiddleware,
  MemorySessionStore,
  openSession,
  taint,
} from '../../lib/index.js';
import { ENROLLED } from '../../lib/labels/enrolment.js';
import { sha256Hex } from '../../lib/session/digest.js';
import { enrollSession, sessionLabels } from '../../lib/testing.js';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { rejectionOf } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { describeWithValkey } from '../support/valkey.js';

const silent = { warn() {}, error() {} };

/** A store that can lose everything, as FLUSHALL does, and whose appends can fail. */
class LosingStore extends MemorySessionStore {
  fails = false;
  isEmpty = false;

  override async loadLabels(id: string): Promise<string[]> {
    return this.isEmpty ? [] : super.loadLabels(id);
  }

  override async appendLabels(id: string, labels: readonly string[]): Promise<void> {
    if (this.fails) throw new Error('down');
    await super.appendLabels(id, labels);
  }
}

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`sessions: 'enrolled', ${version}`, () => {
    let store: LosingStore;
    let alarms: Alarm[];
    let handled: string[];
    let aplSession: AplSessionMiddleware;

    beforeEach(() => {
      store = new LosingStore();
      alarms = [];
      handled = [];
    });

    function appWith(options: Partial<AplSessionOptions> = {}): Express {
      const app = express();
      aplSession = aplSessionMiddleware({
        session: (req) => req.get('x-session'),
        sessions: 'enrolled',
        store,
        logger: silent,
        onAlarm: (alarm) => void alarms.push(alarm),
        ...options,
      });
      const answer: RequestHandler = (req, res) => {
        handled.push(req.path);
        res.json([...req.security.labels].sort());
      };
      app.post('/login', aplSession.enroll(), answer);
      app.post(
        '/mcp',
        aplSession.enroll((req) => req.get('x-method') === 'initialize'),
      );
      app.use(aplSession);
      app.post('/mcp', answer);
      app.get('/labels', answer);
      app.get('/salary', taint('secret'), answer);
      return app;
    }
    const get = (app: Express, path: string) => request(app).get(path).set('x-session', 's1');
    const post = (app: Express, path: string) => request(app).post(path).set('x-session', 's1');

    it('G2: a session that is not enrolled is denied before any handler', async () => {
      const { text } = await get(appWith(), '/labels').expect(403);
      expect(JSON.parse(text)).to.include({ code: 'session.unknown' });
      expect(handled).to.deep.equal([]);
      expect(alarms).to.have.length(1);
      expect(alarms[0]).to.include({ alarm: 'session_unknown', route: 'GET *' });
      expect(JSON.stringify(alarms)).to.not.include('s1');
    });

    it('an enrolled session is served, and its mark is not a label', async () => {
      const app = appWith();
      await post(app, '/login').expect(200, []);
      await get(app, '/salary').expect(200, ['secret']);
      await get(app, '/labels').expect(200, ['secret']);
      expect(await store.loadLabels('s1')).to.have.members([ENROLLED, 'secret']);
      expect(await sessionLabels(store, 's1')).to.deep.equal(['secret']);
      expect(alarms).to.deep.equal([]);
    });

    it('enroll() with a predicate passes all other requests', async () => {
      const app = appWith();
      await post(app, '/mcp').expect(403);
      await post(app, '/mcp').set('x-method', 'initialize').expect(200, []);
      await post(app, '/mcp').expect(200, []);
    });

    for (const [what, answer] of [
      ['a promise', () => Promise.resolve(false)],
      // mocha fails for a rejection that nothing handles
      ['a promise that rejects', () => Promise.reject(new Error('no database'))],
      ['undefined', () => undefined],
      ['a string', () => 'no'],
    ] as const) {
      it(`enroll() with a function that returns ${what} enrols nothing`, async () => {
        const app = appWith();
        app.post('/wrong', aplSession.enroll(answer as unknown as () => boolean), (_req, res) => void res.json([]));
        await post(app, '/wrong').expect(403, /session\.unknown/);
        const alone = express().set('env', 'test');
        alone.post('/wrong', aplSession.enroll(answer as unknown as () => boolean));
        await post(alone, '/wrong').expect(500, /must return true or false; it returned/);
        expect(await store.loadLabels('s1')).to.not.include(ENROLLED);
      });
    }

    it('G5: a store that was emptied makes no session clean, also where the process knows labels', async () => {
      const app = appWith();
      await post(app, '/login').expect(200);
      await get(app, '/salary').expect(200);
      store.isEmpty = true;
      await get(app, '/labels').expect(403, /session\.unknown/);
      store.isEmpty = false;
      await get(app, '/labels').expect(200, ['secret']);
    });

    it('G1: the mark is stored before the handler; if that fails, the request is denied', async () => {
      store.fails = true;
      await post(appWith(), '/login').expect(403, /session\.persist_failed/);
      expect(handled).to.deep.equal([]);
      expect(alarms).to.have.length(1);
      expect(alarms[0]).to.include({ alarm: 'session_store_failure', op: 'append', decisionWasAllow: true });
      store.fails = false;
      await get(appWith(), '/labels').expect(403, /session\.unknown/);
    });

    it('a request without a session cannot be enrolled', async () => {
      await request(appWith())
        .post('/login')
        .expect(403, /session\.required/);
      expect(handled).to.deep.equal([]);
    });

    it('unavailable does not apply: the session is at fault, not the store', async () => {
      await get(appWith({ unavailable: { status: 503 } }), '/labels').expect(403, /session\.unknown/);
    });

    it('enroll() after the middleware enrols a session that it has accepted', async () => {
      const app = appWith({ sessions: 'any' });
      app.get('/late', aplSession.enroll(), (req, res) => void res.json([...req.security.labels]));
      await get(app, '/late').expect(200, []);
      expect(await store.loadLabels('s1')).to.deep.equal([ENROLLED]);
      await get(app, '/labels').expect(200, []);
      store.fails = true;
      await request(app)
        .get('/late')
        .set('x-session', 's2')
        .expect(403, /session\.persist_failed/);
    });

    it('G2: an earlier mount that accepts any session does not replace the check', async () => {
      const app = express();
      const session = (req: { get(name: string): string | undefined }) => req.get('x-session');
      const onAlarm = (alarm: Alarm): void => void alarms.push(alarm);
      app.use(aplSessionMiddleware({ session, store, logger: silent }));
      app.use(aplSessionMiddleware({ session, store, sessions: 'enrolled', logger: silent, onAlarm }));
      app.get('/labels', (_req, res) => void res.send('served'));
      await get(app, '/labels').expect(403, /session\.unknown/);
      expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['session_unknown']);
      await enrollSession(store, 's1');
      await get(app, '/labels').expect(200, 'served');
    });

    it('enroll, uncalled, is an error and not a request that waits', async () => {
      const app = appWith();
      app.get('/uncalled', aplSession.enroll as unknown as RequestHandler);
      await enrollSession(store, 's1');
      await get(app, '/uncalled').expect(500);
    });

    it('the mark is refused as a label', async () => {
      expect(() => taint(ENROLLED))
        .to.throw()
        .with.property('code', 'label.invalid');
    });

    it('at most 60 alarms a minute', async () => {
      const app = appWith();
      for (let n = 0; n < 62; n++) await get(app, '/labels').expect(403);
      expect(alarms).to.have.length(60);
    });

    it('G6: where the server chooses the id, a client cannot enrol a lost one', async () => {
      const app = express();
      aplSession = aplSessionMiddleware({
        session: (req) => req.get('mcp-session-id'),
        sessions: 'enrolled',
        store,
        logger: silent,
      });
      const isInitialize: Parameters<AplSessionMiddleware['enroll']>[0] = (req) => req.get('x-method') === 'initialize';
      app.post('/mcp', (req, _res, next) => {
        if (isInitialize?.(req)) req.headers['mcp-session-id'] = `id-${handled.push('initialize')}`;
        next();
      });
      app.post('/mcp', aplSession.enroll(isInitialize));
      app.use(aplSession);
      app.post('/mcp', (req, res) => void res.json([req.get('mcp-session-id'), ...req.security.labels]));
      const call = (id: string, method: string) =>
        request(app).post('/mcp').set('mcp-session-id', id).set('x-method', method);
      await call('', 'initialize').expect(200, ['id-1']);
      await call('id-1', 'tools/call').expect(200, ['id-1']);
      await call('lost', 'tools/call').expect(403, /session\.unknown/);
      await call('lost', 'initialize').expect(200, ['id-2']);
      await call('lost', 'tools/call').expect(403, /session\.unknown/);
    });

    it('openSession rejects with session.unknown', async () => {
      const onAlarm = (alarm: Alarm): void => void alarms.push(alarm);
      const options = { session: 's1', store, sessions: 'enrolled', logger: silent, onAlarm } as const;
      expect(await rejectionOf(openSession(options))).to.have.property('code', 'session.unknown');
      expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['session_unknown']);
      await enrollSession(store, 's1');
      await using session = await openSession(options);
      expect([...session.labels]).to.deep.equal([]);
    });
  });
}

describeWithValkey("sessions: 'enrolled', on Valkey", (server) => {
  for (const lose of ['FLUSHALL', 'DEL'] as const) {
    it(`G5: after ${lose} the session is unknown`, async () => {
      const store = new ValkeySessionStore({ endpoint: server().url });
      const [, express] = EXPRESS_VERSIONS[0] as (typeof EXPRESS_VERSIONS)[0];
      const session = (req: { get(name: string): string | undefined }) => req.get('x-session');
      const aplSession = aplSessionMiddleware({ session, sessions: 'enrolled', store, logger: silent });
      const app = express();
      app.post('/login', aplSession.enroll(), (_req, res) => void res.send('in'));
      app.use(aplSession);
      app.get('/', taint('secret'), (_req, res) => void res.send('read'));
      await request(app).post('/login').set('x-session', 's1').expect(200);
      await request(app).get('/').set('x-session', 's1').expect(200);
      const { admin } = server();
      if (lose === 'FLUSHALL') await admin.flushall();
      else await admin.del(`taint:v1:${sha256Hex('s1')}`);
      await request(app)
        .get('/')
        .set('x-session', 's1')
        .expect(403, /session\.unknown/);
      // what this process has stored again does not make the session known
      await request(app)
        .get('/')
        .set('x-session', 's1')
        .expect(403, /session\.unknown/);
      expect(await sessionLabels(store, 's1')).to.deep.equal(['secret']);
      await store.close();
    });
  }
});
