import { expect } from 'chai';
import type { ErrorRequestHandler, Express, Request, RequestHandler } from 'express';
import request from 'supertest';
import {
  type Alarm,
  type AplSessionOptions,
  allowOnly,
  aplSessionMiddleware,
  denyIf,
  policy,
  requireThat,
  type SessionResolver,
  subjectSession,
  taint,
} from '../../lib/index.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';

const VIOLATION = { code: 'c', reason: 'r' };
const answer: RequestHandler = (_req, res) => void res.send('ok');
const codeOf: ErrorRequestHandler = (error, _req, res, _next) => void res.status(500).send(String(error.code));
/** Requests with `x-user` have a session. */
const byHeader = subjectSession({ subject: (req) => req.get('x-user') });

const use =
  (act: (req: Request) => unknown): RequestHandler =>
  (req, _res, next) => {
    act(req);
    next();
  };

const relying: ReadonlyArray<readonly [what: string, handler: RequestHandler]> = [
  ['taint()', taint('secret')],
  ['denyIf(label)', denyIf('secret', VIOLATION)],
  ['denyIf(predicate)', denyIf(async () => false, VIOLATION)],
  ['requireThat()', requireThat(() => true, VIOLATION)],
  ['policy()', policy(() => ({ allow: true }))],
  ['labels.add()', use((req) => req.security.labels.add('secret'))],
  ['labels.has()', use((req) => req.security.labels.has('secret'))],
  ['labels.size', use((req) => req.security.labels.size)],
  ['labels.forEach()', use((req) => req.security.labels.forEach(() => {}))],
  ['a loop over labels', use((req) => [...req.security.labels])],
  ['labels.keys()', use((req) => req.security.labels.keys())],
  ['labels.values()', use((req) => req.security.labels.values())],
  ['labels.entries()', use((req) => req.security.labels.entries())],
  ['a predicate that reads labels', denyIf((req) => req.security.labels.has('secret'), VIOLATION)],
];
const indifferent: ReadonlyArray<readonly [what: string, handler: RequestHandler]> = [
  ['the property labels alone', use((req) => ({ ...req.security, labels: req.security.labels }))],
  ['a label of the message', taint('secret', { scope: 'message' })],
];

/** Node 22 and later. */
const isDisjointOf = (labels: Set<string>) => {
  const { isDisjointFrom } = labels as { isDisjointFrom?: (other: Set<string>) => boolean };
  return (other: Set<string>): boolean | undefined => isDisjointFrom?.call(labels, other);
};

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`a request without a session, ${version}`, () => {
    let alarms: Alarm[];
    let store: ScriptedStore;
    let served: number;
    beforeEach(() => {
      alarms = [];
      store = new ScriptedStore({});
      served = 0;
    });

    function mount(options: Partial<AplSessionOptions> = {}): RequestHandler {
      const onAlarm = (alarm: Alarm): void => void alarms.push(alarm);
      return aplSessionMiddleware({ session: byHeader, store, logger: { warn() {}, error() {} }, onAlarm, ...options });
    }

    /** Routes `/a/:id` and `/b/:id` with this handler before their answer. */
    function appOf(handler: RequestHandler, ...mounts: RequestHandler[]): Express {
      const app = express().set('env', 'test');
      for (const middleware of mounts.length > 0 ? mounts : [mount()]) app.use(middleware);
      const count = use(() => served++);
      app.get('/a/:id', count, handler, answer);
      app.get('/b/:id', count, handler, answer);
      return app.use(codeOf);
    }

    const ask = (app: Express, path: string, user?: string) =>
      request(app)
        .get(path)
        .set(user === undefined ? {} : { 'x-user': user });
    const missing = (route: string, reason = 'no subject') => ({
      alarm: 'session_missing',
      route,
      reason,
      error: `The request has no session: ${reason}.`,
    });

    for (const [what, handler] of relying) {
      it(`G7: ${what} raises one alarm for a route, with no data of the client`, async () => {
        const app = appOf(handler);
        for (const path of ['/a/alice', '/a/bob', '/b/alice', '/b/bob']) await ask(app, path).expect(200, 'ok');
        expect(alarms).to.deep.equal([missing('GET /a/:id'), missing('GET /b/:id')]);
        expect(store.loads).to.deep.equal([]);
        expect(store.appends).to.deep.equal([]);
      });

      it(`${what}: again after a request with a session on that route only`, async () => {
        const app = appOf(handler);
        await ask(app, '/a/1').expect(200);
        await ask(app, '/b/1', 'alice').expect(200);
        await ask(app, '/a/1').expect(200);
        expect(alarms).to.have.length(1);
        await ask(app, '/a/1', 'bob').expect(200);
        await ask(app, '/a/1').expect(200);
        expect(alarms).to.deep.equal([missing('GET /a/:id'), missing('GET /a/:id')]);
      });
    }

    for (const [what, handler] of indifferent) {
      it(`${what} raises no alarm, as no label is lost`, async () => {
        await ask(appOf(handler), '/a/1').expect(200, 'ok');
        expect(alarms).to.deep.equal([]);
      });
    }

    const { isDisjointFrom } = Set.prototype as { isDisjointFrom?: (other: Set<string>) => boolean };
    // Node 22 has it
    if (isDisjointFrom) {
      it('labels.isDisjointFrom() raises the alarm as well', async () => {
        const reads = use((req) => isDisjointOf(req.security.labels)(new Set(['secret'])));
        await ask(appOf(reads), '/a/1').expect(200, 'ok');
        expect(alarms).to.deep.equal([missing('GET /a/:id')]);
      });
    }

    it('a check by hand after a misspelt accessor raises the alarm', async () => {
      const session = subjectSession({ subject: (req) => (req as { user?: { naem?: string } }).user?.naem });
      const login = use((req) => Object.assign(req, { user: { name: 'alice' } }));
      const check: RequestHandler = (req, res) =>
        void (req.security.labels.has('secret') ? res.sendStatus(403) : res.send('sent'));
      await ask(express().use(login, mount({ session })).get('/mail', check), '/mail').expect(200, 'sent');
      expect(alarms).to.deep.equal([missing('GET /mail')]);
    });

    it('labels that a later mount takes over raise no alarm', async () => {
      let isLate = false;
      const first = mount({ session: () => undefined });
      const second = mount({ session: (req) => (isLate ? byHeader(req) : undefined) });
      for (const late of [false, true]) {
        isLate = late;
        await ask(appOf(answer, first, second), '/a/1', 'alice').expect(200, 'ok');
      }
      expect(alarms).to.deep.equal([]);
    });

    it('reads of guards that deny or fail raise no alarm about the session', async () => {
      const has = taint('x', { scope: 'message' });
      const failing = denyIf(() => Promise.reject(new Error('broken')), VIOLATION);
      const guards = [
        allowOnly([], VIOLATION),
        denyIf('x', VIOLATION),
        denyIf({ all: ['x'] }, VIOLATION),
        failing,
        denyIf('x', VIOLATION, { enforce: 'observe' }),
      ];
      for (const guard of guards) await ask(appOf(answer, mount(), has, guard), '/a/1');
      expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['policy_error', 'policy_would_deny']);
    });

    it('a guard that denies it raises no alarm', async () => {
      await ask(appOf(denyIf(() => true, VIOLATION)), '/a/1').expect(403);
      expect(alarms).to.deep.equal([]);
    });

    it('two mounts of one app raise an alarm each', async () => {
      for (const app of [appOf(taint('secret')), appOf(taint('secret'))]) await ask(app, '/a/1').expect(200);
      expect(alarms).to.have.length(2);
    });

    const resolvers: ReadonlyArray<readonly [what: string, resolver: SessionResolver, reason: string]> = [
      ['undefined', () => undefined, 'the resolver found no session'],
      ['an empty id', () => ({ id: '' }), 'the resolver found no session'],
      ['a reason', () => ({ reason: 'no api key' }), 'no api key'],
      ['a promise of a reason', async () => ({ reason: 'no api key' }), 'no api key'],
      ['an empty reason', () => ({ reason: '' }), 'the resolver found no session'],
      ['nothing, with explain()', Object.assign(() => null, { explain: () => 'no cookie' }), 'no cookie'],
      [
        'nothing, with an idle explain()',
        Object.assign(() => '', { explain: () => undefined }),
        'the resolver found no session',
      ],
      [
        'a reason with credentials',
        () => ({ reason: 'no session at redis://u:hunter2@h' }),
        'no session at redis://***',
      ],
    ];
    for (const [what, session, reason] of resolvers) {
      it(`the reason is the resolver's: ${what}`, async () => {
        await ask(appOf(taint('secret'), mount({ session })), '/a/1').expect(200);
        expect(alarms).to.deep.equal([missing('GET /a/:id', reason)]);
      });
    }

    it('another reason on the same route raises an alarm', async () => {
      let reason = 'no api key';
      const app = appOf(taint('secret'), mount({ session: () => ({ reason }) }));
      await ask(app, '/a/1').expect(200);
      reason = 'the api key is unknown';
      for (let n = 0; n < 2; n++) await ask(app, '/a/1').expect(200);
      expect(alarms).to.deep.equal([missing('GET /a/:id', 'no api key'), missing('GET /a/:id', reason)]);
    });

    it('a label of the request is removed from the route and the reason', async () => {
      const app = express()
        .use(mount({ session: () => ({ reason: 'nobody is top-secret' }) }))
        .get('/top-secret', taint('top-secret'), answer);
      await request(app).get('/top-secret').expect(200);
      expect(alarms).to.deep.equal([missing('GET /***', 'nobody is ***')]);
    });

    it('clients with and without a session raise about 60 alarms a minute', async () => {
      const app = appOf(taint('secret'));
      for (let n = 0; n < 70; n++) {
        await ask(app, '/a/1').expect(200);
        await ask(app, '/a/1', 'bob').expect(200);
      }
      // the store of this test forgets the labels of bob, which is another alarm
      expect(alarms.filter(({ alarm }) => alarm === 'session_missing')).to.have.length(60);
    });

    it('an explain() that throws sends the request to the error handling', async () => {
      const explain = (): never => {
        throw Object.assign(new Error('broken'), { code: 'broken' });
      };
      const session = Object.assign(() => undefined, { explain });
      await ask(appOf(taint('secret'), mount({ session })), '/a/1').expect(500, 'broken');
      expect(served).to.equal(0);
    });

    it('an explain() that returns a promise sends the request to the error handling', async () => {
      // its rejection could say that a middleware is not mounted; mocha fails for a rejection that nothing handles
      const explain = () => Promise.reject(new Error('not mounted')) as unknown as string;
      const resolver = Object.assign(() => undefined, { explain });
      const accessor = subjectSession({ subject: resolver });
      for (const session of [resolver, accessor]) {
        await ask(appOf(taint('secret'), mount({ session })), '/a/1').expect(500, 'session.invalid');
      }
      expect(served).to.equal(0);
    });

    describe("with sessionless: 'deny'", () => {
      it('G6: 403 session.required before any handler, and one alarm', async () => {
        const app = appOf(taint('secret'), mount({ sessionless: 'deny' }));
        const denied: string[] = [];
        for (let n = 0; n < 2; n++) {
          const { body } = await ask(app, '/a/1').expect(403).expect('cache-control', 'no-store');
          expect(body).to.include({ code: 'session.required', detail: 'this request needs a session' });
          denied.push(body.instance);
        }
        expect(served).to.equal(0);
        expect(store.loads).to.deep.equal([]);
        const first = { ...missing('GET *'), instance: denied[0] };
        expect(alarms).to.deep.equal([first]);
        await ask(app, '/a/1', 'bob').expect(200);
        const { body } = await ask(app, '/a/1').expect(403);
        expect(alarms).to.deep.equal([first, { ...missing('GET *'), instance: body.instance }]);
      });

      it('also for an async resolver, with the denial of the mount', async () => {
        const denial = { status: 401, body: 'log in' };
        const session = async (): Promise<undefined> => undefined;
        await ask(appOf(answer, mount({ session, sessionless: 'deny', denial })), '/a/1').expect(401, 'log in');
        expect(served).to.equal(0);
      });

      it('also behind a mount that allows, with the denial of the later mount', async () => {
        const denying = mount({ sessionless: 'deny', denial: { body: 'second' } });
        await ask(appOf(answer, mount({ denial: { body: 'first' } }), denying), '/a/1').expect(403, 'second');
        expect(served).to.equal(0);
      });

      it('a session that an earlier mount has found counts', async () => {
        const denying = mount({ session: () => undefined, sessionless: 'deny' });
        await ask(appOf(answer, mount(), denying), '/a/1', 'alice').expect(200, 'ok');
      });
    });

    for (const sessionless of ['Deny', true, null]) {
      it(`sessionless: ${JSON.stringify(sessionless)} is config.invalid`, () => {
        expect(() => mount({ sessionless: sessionless as 'deny' }))
          .to.throw("'sessionless'")
          .with.property('code', 'config.invalid');
      });
    }
  });
}
