import { expect } from 'chai';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import request from 'supertest';
import {
  type Alarm,
  aplSessionMiddleware,
  PolicyViolation,
  policyViolationHandler,
  type SessionStore,
  type Violation,
} from '../../lib/index.js';
import { withAnyInstance } from '../support/denial-instance.js';
import { thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { assertDenialOnly, DENIAL_BODY, VIOLATION } from '../support/guard-fixture.js';
import { HeldStore } from '../support/held-store.js';
import { exchange, get, type RunningServer, serve, Wire } from '../support/raw-http.js';

const SESSION = 'session-of-alice';
const LABEL = 'secret-label';
const CAUSE = new Error('the salary table was read');

/** Another copy of the module, as two installed versions of the package would give. */
const copyOfModule = '../../lib/denial/policy-violation.js?copy';
const { PolicyViolation: OtherPolicyViolation } = (await import(copyOfModule)) as {
  PolicyViolation: typeof PolicyViolation;
};

/** Some service that knows nothing of requests. */
function service(): never {
  throw new PolicyViolation(VIOLATION, { cause: CAUSE });
}

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`policyViolationHandler, ${version}`, () => {
    const servers: RunningServer[] = [];
    const alarms: Alarm[] = [];
    const passed: unknown[] = [];
    const onError: ErrorRequestHandler = (error, _req, res, _next) => {
      passed.push(error);
      res.status(500).send('passed on');
    };

    beforeEach(() => {
      alarms.length = 0;
      passed.length = 0;
    });
    afterEach(async () => {
      await Promise.all(servers.splice(0).map((server) => server.close()));
    });

    function securedApp(store: SessionStore, ...handlers: RequestHandler[]): Express {
      const middleware = aplSessionMiddleware({
        session: () => SESSION,
        store,
        ...(store instanceof HeldStore && { storeTimeoutMs: 60_000 }),
        logger: { warn() {}, error() {} },
        onAlarm: (alarm) => void alarms.push(alarm),
      });
      return express()
        .set('env', 'test')
        .use(middleware)
        .get('/', ...handlers);
    }

    function appOf(store: SessionStore, ...handlers: RequestHandler[]): Express {
      return securedApp(store, ...handlers).use(policyViolationHandler(), onError);
    }

    async function listen(app: Express): Promise<number> {
      const server = await serve(app);
      servers.push(server);
      return server.port;
    }

    const ways: ReadonlyArray<readonly [how: string, handler: RequestHandler]> = [
      ['thrown by a service', () => service()],
      ['passed to next()', (_req, _res, next) => next(new PolicyViolation(VIOLATION))],
      ['passed to next() by async code', (_req, _res, next) => void Promise.reject(thrownBy(service)).catch(next)],
      [
        'of another copy of the package',
        () => {
          throw new OtherPolicyViolation(VIOLATION);
        },
      ],
      [
        'of a subclass',
        () => {
          throw new (class Tainted extends PolicyViolation {})(VIOLATION);
        },
      ],
    ];
    for (const [how, handler] of ways) {
      it(`a violation ${how} is the denial, byte for byte, and is recorded`, async () => {
        const seen: unknown[] = [];
        const watch: RequestHandler = (req, res, next) => {
          res.once('finish', () => seen.push(req.security.violation));
          res.cookie('stolen', '1').set({ 'X-Stolen': '1', ETag: '"stolen"' }).status(201);
          next();
        };
        const port = await listen(appOf(new ScriptedStore(), watch, handler));
        const { text } = await exchange(port, get('/', { Connection: 'close' }));
        assertDenialOnly(text);
        expect(seen).to.deep.equal([VIOLATION]);
        expect(passed).to.deep.equal([]);
      });
    }

    const others: ReadonlyArray<readonly [what: string, error: unknown]> = [
      ['an ordinary error', new Error('x')],
      ['an error with a violation for its cause', new Error('x', { cause: new PolicyViolation(VIOLATION) })],
      ['an error that gathers violations', new AggregateError([new PolicyViolation(VIOLATION)])],
      ['a look-alike', { ...VIOLATION, name: 'PolicyViolation', status: 403 }],
      ['a string', 'PolicyViolation'],
    ];
    for (const [what, error] of others) {
      it(`${what} goes on to the next error handler, and nothing is recorded`, async () => {
        let violation: unknown = 'not seen';
        const throwing: RequestHandler = (req, res) => {
          res.once('finish', () => {
            violation = req.security.violation;
          });
          throw error;
        };
        await request(appOf(new ScriptedStore(), throwing)).get('/').expect(500, 'passed on');
        expect(passed).to.have.length(1);
        expect(passed[0]).to.equal(error);
        expect(violation).to.equal(undefined);
      });
    }

    it('without the middleware, the violation goes on and Express answers 403', async () => {
      const app = express().set('env', 'test').get('/', service).use(policyViolationHandler());
      await request(app).get('/').expect(403);
    });

    it('mounted without being called, it is config.invalid', async () => {
      const app = express()
        .set('env', 'test')
        .use(policyViolationHandler as unknown as RequestHandler, onError);
      await request(app).get('/').expect(500, 'passed on');
      expect(passed[0]).to.have.property('code', 'config.invalid');
    });

    it('G3: a request that was denied before keeps its first violation', async () => {
      const app = appOf(new ScriptedStore(), (req) => {
        req.security.deny({ code: 'first', reason: 'denied before' });
        service();
      });
      const { body } = await request(app).get('/').expect(403);
      expect(body.code).to.equal('first');
    });

    it('G1, G7: labels added before are stored before the denial leaves', async () => {
      const store = new HeldStore();
      const port = await listen(
        appOf(store, (req) => {
          req.security.labels.add(LABEL);
          service();
        }),
      );
      const wire = new Wire(port);
      wire.send(get('/', { Connection: 'close' }));
      await store.called();
      expect(wire.received).to.equal('');
      store.release();
      expect(await wire.closed()).to.match(/^HTTP\/1\.1 403 .*"session_tainted"\}$/s);
      expect(store.appends).to.deep.equal([[LABEL]]);
    });

    it('G2: a held response is replaced by the denial', async () => {
      const app = appOf(new ScriptedStore(), (req, res) => {
        req.security.labels.add(LABEL);
        res.send('stolen');
        service();
      });
      const { text } = await request(app).get('/').expect(403);
      expect(withAnyInstance(text)).to.equal(DENIAL_BODY);
    });

    it('G2: with bytes out the connection is cut, with no clean end', async () => {
      const port = await listen(
        appOf(new ScriptedStore(), (_req, res, next) => {
          res.write('first', () => next(new PolicyViolation(VIOLATION)));
        }),
      );
      const { text } = await exchange(port, get('/'));
      expect(text).to.match(/^HTTP\/1\.1 200 .*\r\n\r\n5\r\nfirst\r\n$/s);
    });

    describe('not mounted', () => {
      for (const env of ['production', 'development']) {
        it(`${env}: Express answers 403 like for any such error, without the cause`, async () => {
          const error = thrownBy(service) as PolicyViolation;
          const plain = Object.assign(new Error(error.message), { status: 403, stack: error.stack });
          const answers = [];
          for (const thrown of [error, plain]) {
            const app = securedApp(new ScriptedStore(), () => {
              throw thrown;
            });
            const quietly: ErrorRequestHandler = (e, _req, res, next) => {
              // Express reads the env at the start, and prints unhandled errors unless it is `test`
              res.app.set('env', 'test');
              next(e);
            };
            app.set('env', env).use(quietly);
            answers.push(await request(app).get('/').expect(403));
          }
          const [ours, expected] = answers;
          expect(ours?.text).to.equal(expected?.text);
          expect(Object.keys(ours?.headers ?? {})).to.have.members(Object.keys(expected?.headers ?? {}));
          expect(ours?.text).to.not.contain(CAUSE.message);
          expect(ours?.text.includes(VIOLATION.reason)).to.equal(env === 'development');
        });
      }

      it('G3: that 403 stays when labels cannot be stored', async () => {
        const store = new ScriptedStore({ append: () => Promise.reject(new Error('down')) });
        const app = securedApp(store, (req) => {
          req.security.labels.add(LABEL);
          service();
        });
        const { text } = await request(app).get('/').expect(403);
        expect(text).to.not.contain('session.persist_failed');
        expect(alarms[0]).to.include({ op: 'append', decisionWasAllow: false });
      });
    });
  });
}

describe('PolicyViolation', () => {
  it('is an error with the violation, its cause and the status for Express', () => {
    const error = new PolicyViolation(VIOLATION, { cause: CAUSE });
    expect(error).to.be.instanceOf(Error).and.instanceOf(PolicyViolation);
    expect(error).to.include({
      ...VIOLATION,
      name: 'PolicyViolation',
      message: VIOLATION.reason,
      status: 403,
      statusCode: 403,
      cause: CAUSE,
    });
    expect(Object.keys(error)).to.have.members(['name', 'code', 'reason', 'status', 'statusCode']);
  });

  it('marks its message as public, and has what GraphQL errors need', () => {
    for (const error of [new PolicyViolation(VIOLATION, { cause: CAUSE }), new OtherPolicyViolation(VIOLATION)]) {
      expect(error.expose).to.equal(true);
      expect(error.extensions).to.deep.equal({ code: VIOLATION.code, http: { status: 403 } });
      expect(error.extensions, 'that one of them changes is not the next one’s').not.to.equal(error.extensions);
    }
  });

  it('copies of the package recognise violations of each other', () => {
    expect(OtherPolicyViolation).to.not.equal(PolicyViolation);
    expect(new OtherPolicyViolation(VIOLATION)).to.be.instanceOf(PolicyViolation);
    expect(new PolicyViolation(VIOLATION)).to.be.instanceOf(OtherPolicyViolation);
  });

  it('a violation is an instance of its own subclass only', () => {
    class Tainted extends PolicyViolation {}
    class Expired extends PolicyViolation {}
    expect(new Tainted(VIOLATION)).to.be.instanceOf(Tainted).and.instanceOf(PolicyViolation);
    expect(new Tainted(VIOLATION)).to.not.be.instanceOf(Expired);
    expect(new PolicyViolation(VIOLATION)).to.not.be.instanceOf(Tainted);
  });

  for (const [what, value] of [
    ['undefined', undefined],
    ['null', null],
    ['a string', 'PolicyViolation'],
    ['an error', new Error('x')],
    ['a violation', VIOLATION],
  ] as const) {
    it(`${what} is not a PolicyViolation`, () => {
      expect((value as unknown) instanceof PolicyViolation).to.equal(false);
    });
  }

  for (const [what, violation] of [
    ['nothing', undefined],
    ['a string', 'denied'],
    ['a violation without a code', { reason: 'r' }],
    ['a violation without a reason', { code: 'c', reason: '' }],
  ] as const) {
    it(`${what} is violation.invalid`, () => {
      const error = thrownBy(() => new PolicyViolation(violation as Violation));
      expect(error).to.have.property('code', 'violation.invalid');
    });
  }
});
