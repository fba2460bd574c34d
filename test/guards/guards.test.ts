import { expect } from 'chai';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import request from 'supertest';
import {
  type Alarm,
  aplSessionMiddleware,
  denyIf,
  policy,
  requireSession,
  requireThat,
  type SessionStore,
  taint,
  type Violation,
} from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { eventually, thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { APPEND_FAILURES, ScriptedStore } from '../support/failing-stores.js';
import { HeldStore } from '../support/held-store.js';
import { exchange, get, type RunningServer, serve, Wire } from '../support/raw-http.js';

const SESSION = 'session-of-alice';
const LABEL = 'secret-label';
const VIOLATION: Violation = { code: 'session_tainted', reason: 'session touched secret data' };
const DENIAL_BODY =
  '{"type":"about:blank","title":"Forbidden","status":403,"detail":"session touched secret data","code":"session_tainted"}';

const INVALID_VIOLATIONS: ReadonlyArray<readonly [what: string, violation: unknown]> = [
  ['no violation', undefined],
  ['null', null],
  ['a string', 'denied'],
  ['a violation without a code', { reason: 'r' }],
  ['an empty code', { code: '', reason: 'r' }],
  ['a code that is no string', { code: 403, reason: 'r' }],
  ['a violation without a reason', { code: 'c' }],
  ['an empty reason', { code: 'c', reason: '' }],
];

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`guards, ${version}`, () => {
    const servers: RunningServer[] = [];
    const alarms: Alarm[] = [];
    let handled: number;
    const handler: RequestHandler = (_req, res) => {
      handled++;
      res.send('handled');
    };
    const onError: ErrorRequestHandler = (error, _req, res, _next) => void res.status(500).send(String(error.code));

    beforeEach(() => {
      alarms.length = 0;
      handled = 0;
    });
    afterEach(async () => {
      await Promise.all(servers.splice(0).map((server) => server.close()));
    });

    function appOf(store: SessionStore, ...handlers: RequestHandler[]): Express {
      const middleware = aplSessionMiddleware({
        session: (req) => (req.path === '/probe' ? undefined : SESSION),
        store,
        storeTimeoutMs: store instanceof HeldStore ? 60_000 : 10,
        logger: { warn() {}, error() {} },
        onAlarm: (alarm) => void alarms.push(alarm),
      });
      const app = express().set('env', 'test').use(middleware);
      app.get('/probe', (_req, res) => void res.send('probed'));
      if (handlers.length > 0) app.get('/', ...handlers);
      return app.use(onError);
    }

    async function listen(app: Express): Promise<number> {
      const server = await serve(app);
      servers.push(server);
      return server.port;
    }

    function storeWith(...labels: string[]): ScriptedStore {
      return new ScriptedStore({ load: async () => labels });
    }

    const failingStore = (): ScriptedStore => new ScriptedStore({ append: () => Promise.reject(new Error('down')) });

    describe('taint', () => {
      it('G1: write-ahead: the handler does not run before the append has settled', async () => {
        const store = new HeldStore();
        const port = await listen(appOf(store, taint(LABEL), handler));
        const wire = new Wire(port);
        wire.send(get('/', { Connection: 'close' }));
        await store.called();
        expect((await exchange(port, get('/probe', { Connection: 'close' }))).text).to.match(/probed$/);
        expect(handled).to.equal(0);
        expect(wire.received).to.equal('');
        store.release();
        expect(await wire.closed()).to.match(/^HTTP\/1\.1 200 .*handled$/s);
        expect(store.appends).to.deep.equal([[LABEL]]);
      });

      for (const { name, behaviour, code } of APPEND_FAILURES) {
        it(`G2: store ${name}: 403 session.persist_failed, the handler never runs, one alarm`, async () => {
          const store = new ScriptedStore({ append: behaviour });
          const { body, headers } = await request(appOf(store, taint(LABEL), handler))
            .get('/')
            .expect(403);
          expect(body).to.deep.equal({
            type: 'about:blank',
            title: 'Forbidden',
            status: 403,
            detail: 'session state could not be persisted',
            code: 'session.persist_failed',
          });
          expect(headers).to.include({ 'cache-control': 'no-store' });
          expect(handled).to.equal(0);
          expect(alarms).to.have.length(1);
          expect(alarms[0]).to.include({ op: 'append', route: 'GET /', decisionWasAllow: true, bytesSent: false });
          if (code !== undefined) expect(alarms[0]).to.include({ code });
          expect(store.appends).to.deep.equal([[LABEL]]);
        });
      }

      it('several labels are one append', async () => {
        const store = storeWith();
        await request(appOf(store, taint('a', 'b', 'a'), handler))
          .get('/')
          .expect(200);
        expect(store.appends).to.deep.equal([['a', 'b']]);
      });

      it('labels that the session has cost no store call; only what is new is appended', async () => {
        const store = storeWith('a', 'b');
        await request(appOf(store, taint('a', 'b'), handler))
          .get('/')
          .expect(200);
        expect(store.appends).to.deep.equal([]);
        await request(appOf(store, taint('a', 'c'), handler))
          .get('/')
          .expect(200);
        expect(store.appends).to.deep.equal([['c']]);
      });

      it('decision 15: a label that the handler adds after that is held and appended on its own', async () => {
        const store = storeWith();
        const addMore: RequestHandler = (req, res) => {
          req.security.labels.add('more');
          res.send('handled');
        };
        await request(appOf(store, taint(LABEL), addMore))
          .get('/')
          .expect(200);
        expect(store.appends).to.deep.equal([[LABEL], ['more']]);
      });

      it('what is raised by the handler behind it goes to Express', async () => {
        const throwing: RequestHandler = () => {
          throw Object.assign(new Error('x'), { code: 'of the handler' });
        };
        await request(appOf(storeWith(), taint(LABEL), throwing))
          .get('/')
          .expect(500, 'of the handler');
      });
    });

    describe('denyIf', () => {
      for (const [answer, status] of [
        [true, 403],
        [false, 200],
      ] as const) {
        it(`an async predicate that resolves to ${answer}: ${status}`, async () => {
          const app = appOf(
            storeWith(),
            denyIf(async () => answer, VIOLATION),
            handler,
          );
          await request(app).get('/').expect(status);
        });
      }

      const conditions: ReadonlyArray<readonly [what: string, condition: Parameters<typeof denyIf>[0]]> = [
        ['a label', 'b'],
        ['any of several labels', { any: ['x', 'b'] }],
        ['all of several labels', { all: ['a', 'b'] }],
        ['a predicate', (req) => req.security.labels.has('b') && req.path === '/'],
      ];
      for (const [what, condition] of conditions) {
        it(`${what}: denies a session that has it, byte for byte, and lets others through`, async () => {
          const port = await listen(appOf(storeWith('a', 'b'), denyIf(condition, VIOLATION), handler));
          const { text } = await exchange(port, get('/', { Connection: 'close' }));
          expect(text.replace(/^Date: .*$/m, 'Date: -').split('\r\n')).to.deep.equal([
            'HTTP/1.1 403 Forbidden',
            'X-Powered-By: Express',
            'Cache-Control: no-store',
            'Content-Type: application/problem+json; charset=utf-8',
            `Content-Length: ${DENIAL_BODY.length}`,
            'Date: -',
            'Connection: close',
            '',
            DENIAL_BODY,
          ]);
          expect(handled).to.equal(0);
          await request(appOf(storeWith('a'), denyIf(condition, VIOLATION), handler))
            .get('/')
            .expect(200, 'handled');
          expect(handled).to.equal(1);
          expect(alarms).to.deep.equal([]);
        });
      }

      it('sees a label that the same request has added', async () => {
        const app = appOf(storeWith(), taint(LABEL), denyIf(LABEL, VIOLATION), handler);
        await request(app).get('/').expect(403);
        expect(handled).to.equal(0);
      });

      it('the caller’s list and violation are copied', async () => {
        const labels: [string] = ['b'];
        const violation = { ...VIOLATION };
        const guard = denyIf({ any: labels }, violation);
        labels[0] = 'changed';
        violation.code = 'changed';
        const { body } = await request(appOf(storeWith('b'), guard, handler))
          .get('/')
          .expect(403);
        expect(body.code).to.equal('session_tainted');
      });

      it('labels differ by case', async () => {
        await request(appOf(storeWith('B'), denyIf({ any: ['b'] }, VIOLATION), denyIf('b', VIOLATION), handler))
          .get('/')
          .expect(200);
      });

      it('HEAD is denied without a body', async () => {
        const port = await listen(appOf(storeWith('b'), denyIf('b', VIOLATION), handler));
        const { text } = await exchange(port, get('/', { Connection: 'close' }).replace('GET', 'HEAD'));
        expect(text)
          .to.match(/^HTTP\/1\.1 403 .*\r\n\r\n$/s)
          .and.to.contain(`Content-Length: ${DENIAL_BODY.length}`);
      });
    });

    describe('deny()', () => {
      it('G3: the first violation stays, and one response leaves', async () => {
        const seen: unknown[] = [];
        const app = appOf(storeWith(), (req) => {
          req.security.deny(VIOLATION);
          req.security.deny({ code: 'second', reason: 'another' });
          seen.push(req.security.violation);
        });
        const { body } = await request(app).get('/').expect(403);
        expect(body.code).to.equal('session_tainted');
        expect(seen).to.deep.equal([VIOLATION]);
        expect(seen[0]).to.be.frozen;
      });

      it('G2: headers and status that the handler had set do not leave', async () => {
        const app = appOf(storeWith(), (req, res) => {
          res.status(201).cookie('stolen', '1').set({ Location: '/stolen', ETag: '"stolen"', 'X-Stolen': '1' });
          req.security.deny(VIOLATION);
        });
        const { text, headers } = await request(app).get('/').expect(403);
        expect(text).to.equal(DENIAL_BODY);
        expect(JSON.stringify(headers)).to.not.contain('stolen');
      });

      for (const [what, store] of [
        ['with labels held by a store that works', () => storeWith()],
        ['with labels held by a store that fails', failingStore],
      ] as const) {
        it(`G2: after writeHead and write, ${what}: the denial replaces the held response`, async () => {
          const scripted = store();
          const port = await listen(
            appOf(scripted, (req, res) => {
              req.security.labels.add(LABEL);
              res.writeHead(200, { 'X-Stolen': '1' });
              res.write('stolen');
              req.security.deny(VIOLATION);
              res.end('stolen');
            }),
          );
          const { text } = await exchange(port, get('/', { Connection: 'close' }));
          expect(text).to.match(/^HTTP\/1\.1 403 Forbidden\r\n/);
          expect(text.endsWith(`\r\n\r\n${DENIAL_BODY}`)).to.equal(true);
          expect(text).to.not.match(/stolen\b(?! )/i);
          expect(scripted.appends).to.deep.equal([[LABEL]]);
        });
      }

      it('after writeHead with no byte out and no label: the denial leaves, and nothing of the head', async () => {
        const port = await listen(
          appOf(storeWith(), (req, res) => {
            res.writeHead(200, { 'X-Stolen': '1' });
            req.security.deny(VIOLATION);
            res.end('stolen');
          }),
        );
        const { text } = await exchange(port, get('/', { Connection: 'close' }));
        expect(text).to.match(/^HTTP\/1\.1 403 Forbidden\r\n/);
        expect(text.endsWith(`\r\n\r\n${DENIAL_BODY}`)).to.equal(true);
        expect(text).to.not.match(/stolen\b(?! )/i);
      });

      it('G2, P44: after bytes are out the connection is cut, with no clean end', async () => {
        const port = await listen(
          appOf(storeWith(), (req, res) => {
            res.write('first', () => {
              req.security.deny(VIOLATION);
              res.end('second');
            });
          }),
        );
        const { text } = await exchange(port, get('/'));
        expect(text).to.match(/\r\n\r\n5\r\nfirst\r\n$/);
      });

      it('after the response has ended, it changes nothing on the wire', async () => {
        let violation: Violation | undefined;
        const closed = deferred<void>();
        const app = appOf(storeWith(), (req, res) => {
          res.once('close', () => {
            req.security.deny(VIOLATION);
            violation = req.security.violation;
            closed.resolve();
          });
          res.send('ok');
        });
        const port = await listen(app);
        const wire = new Wire(port);
        wire.send(get('/'));
        await wire.until(/ok$/);
        await closed.promise;
        wire.send(get('/probe', { Connection: 'close' }));
        expect(await wire.closed()).to.match(/ok(HTTP\/1\.1 200 .*probed)$/s);
        expect(violation).to.deep.equal(VIOLATION);
      });

      it('G1: new labels are persisted before the denial leaves', async () => {
        const store = new HeldStore();
        const port = await listen(
          appOf(store, (req) => {
            req.security.labels.add(LABEL);
            req.security.deny(VIOLATION);
          }),
        );
        const wire = new Wire(port);
        wire.send(get('/', { Connection: 'close' }));
        await store.called();
        await exchange(port, get('/probe', { Connection: 'close' }));
        expect(wire.received).to.equal('');
        store.release();
        const text = await wire.closed();
        expect(text.endsWith(DENIAL_BODY)).to.equal(true);
        expect(await store.loadLabels(SESSION)).to.deep.equal([LABEL]);
        expect(alarms).to.deep.equal([]);
      });

      it('G3: if that fails, the denial leaves as it is, and the failure is an alarm', async () => {
        const app = appOf(failingStore(), (req) => {
          req.security.labels.add(LABEL);
          req.security.deny(VIOLATION);
        });
        const { text } = await request(app).get('/').expect(403);
        expect(text).to.equal(DENIAL_BODY);
        expect(alarms).to.have.length(1);
        expect(alarms[0]).to.include({ decisionWasAllow: false, bytesSent: false });
      });

      it('G7: a label added after the denial has left is persisted', async () => {
        const store = storeWith();
        const app = appOf(store, (req, res) => {
          req.security.deny(VIOLATION);
          res.once('close', () => req.security.labels.add(LABEL));
        });
        await request(app).get('/').expect(403);
        await eventually(() => expect(store.appends).to.deep.equal([[LABEL]]));
      });

      for (const [what, violation] of INVALID_VIOLATIONS) {
        it(`${what} is violation.invalid, and nothing was denied`, async () => {
          const app = appOf(storeWith(), (req, res) => {
            const error = thrownBy(() => req.security.deny(violation as Violation));
            expect(error).to.have.property('code', 'violation.invalid');
            expect(req.security.violation).to.equal(undefined);
            res.send('went on');
          });
          await request(app).get('/').expect(200, 'went on');
        });
      }
    });

    describe('without the middleware', () => {
      for (const [what, guard] of [
        ['taint', taint(LABEL)],
        ['denyIf with a label', denyIf(LABEL, VIOLATION)],
        ['denyIf with a predicate', denyIf(() => false, VIOLATION)],
        ['requireThat', requireThat(() => true, VIOLATION)],
        ['requireSession', requireSession()],
        ['policy', policy(() => ({ allow: true }))],
        ['taint with message scope', taint(LABEL, { scope: 'message' })],
      ] as const) {
        it(`${what}: middleware.missing through Express's error handling, the handler does not run`, async () => {
          const app = express().get('/', guard, handler).use(onError);
          await request(app).get('/').expect(500, 'middleware.missing');
          expect(handled).to.equal(0);
        });
      }

      it('a look-alike on req.security is none', async () => {
        const forged: RequestHandler = (req, _res, next) => {
          Object.assign(req, { security: { labels: new Set(), persist: async () => {}, deny() {} } });
          next();
        };
        await request(express().get('/', forged, taint(LABEL), handler).use(onError))
          .get('/')
          .expect(500);
        expect(handled).to.equal(0);
      });
    });
  });
}

describe('guards, construction', () => {
  const invalidLabels: ReadonlyArray<readonly [what: string, labels: unknown[]]> = [
    ['no label', []],
    ['an empty label', ['']],
    ['a label that is no string', [5]],
    ['an array for a label', [['a']]],
    ['a control character', ['a\u0000']],
    ['a second label that is none', ['a', '']],
  ];
  for (const [what, labels] of invalidLabels) {
    it(`${what} is label.invalid`, () => {
      expect(thrownBy(() => Reflect.apply(taint, undefined, labels))).to.have.property('code', 'label.invalid');
    });
  }

  for (const [what, violation] of INVALID_VIOLATIONS) {
    it(`${what} is violation.invalid`, () => {
      expect(thrownBy(() => denyIf('a', violation as Violation))).to.have.property('code', 'violation.invalid');
    });
  }

  const invalidConditions: ReadonlyArray<readonly [what: string, condition: unknown, code: string]> = [
    ['undefined', undefined, 'label.invalid'],
    ['null', null, 'label.invalid'],
    ['a number', 5, 'label.invalid'],
    ['an empty string', '', 'label.invalid'],
    ['a bare list', ['a'], 'config.invalid'],
    ['neither any nor all', {}, 'config.invalid'],
    ['both any and all', { any: ['a'], all: ['b'] }, 'config.invalid'],
    ['an unknown key', { any: ['a'], none: ['b'] }, 'config.invalid'],
    ['any of nothing', { any: [] }, 'config.invalid'],
    ['all of nothing', { all: [] }, 'config.invalid'],
    ['any of undefined', { any: undefined }, 'config.invalid'],
    ['any of a string', { any: 'a' }, 'config.invalid'],
    ['any of what is no label', { any: ['a', ''] }, 'label.invalid'],
    ['all of what is no label', { all: [5] }, 'label.invalid'],
  ];
  for (const [what, condition, code] of invalidConditions) {
    it(`a condition that is ${what} is ${code}`, () => {
      const error = thrownBy(() => denyIf(condition as string, VIOLATION));
      expect(error).to.have.property('code', code);
    });
  }

  it('a bare list of labels: the error says how to write it', () => {
    const error = thrownBy(() => denyIf(['a'] as unknown as string, VIOLATION));
    expect(error).to.have.property('message').that.includes('{ any: [...] } or { all: [...] }');
  });

  const guards: ReadonlyArray<readonly [name: string, make: (options: object) => unknown]> = [
    ['taint', (options) => taint('a', options)],
    ['denyIf', (options) => denyIf('a', VIOLATION, options)],
    ['requireThat', (options) => requireThat(() => true, VIOLATION, options)],
    ['requireSession', (options) => requireSession(options)],
    ['policy', (options) => policy(() => ({ allow: true }), options)],
  ];
  for (const [name, make] of guards) {
    for (const [what, options] of [
      ['an unknown option', { labels: ['a'] }],
      ['an empty name', { name: '' }],
      ['a name that is no string', { name: 5 }],
    ] as const) {
      it(`${name}: ${what} is config.invalid`, () => {
        const error = thrownBy(() => make(options));
        expect(error).to.have.property('code', 'config.invalid');
        expect(error).to.have.property('message').that.includes(`${name}: `);
      });
    }
  }

  for (const [what, call, code] of [
    ['taint with a scope that is none', () => taint('a', { scope: 'request' as 'message' }), 'config.invalid'],
    ['taint with options and no label', () => Reflect.apply(taint, undefined, [{ scope: 'message' }]), 'label.invalid'],
    ['taint with options first', () => Reflect.apply(taint, undefined, [{ scope: 'message' }, 'a']), 'label.invalid'],
    ['requireThat with a label', () => requireThat('a' as unknown as () => boolean, VIOLATION), 'config.invalid'],
    ['requireThat without a violation', () => Reflect.apply(requireThat, undefined, [() => true]), 'violation.invalid'],
    ['policy without a decision', () => Reflect.apply(policy, undefined, []), 'config.invalid'],
    [
      'policy with a subject that is no function',
      () => policy(() => ({ allow: true }), { subject: 'alice' as unknown as () => string }),
      'config.invalid',
    ],
  ] as const) {
    it(`${what} is ${code}`, () => {
      expect(thrownBy(call)).to.have.property('code', code);
    });
  }
});
