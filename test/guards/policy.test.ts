import { expect } from 'chai';
import type { ErrorRequestHandler, Express, Request, RequestHandler } from 'express';
import request from 'supertest';
import {
  type Alarm,
  aplSessionMiddleware,
  type DecidePolicy,
  denyIf,
  MemorySessionStore,
  type PolicyDecision,
  PolicyViolation,
  policy,
  type RequestPredicate,
  requireSession,
  requireThat,
  type SessionStore,
  taint,
  type Violation,
} from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { ANY_INSTANCE, anyInstanceIn } from '../support/denial-instance.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore, settlingTwice } from '../support/failing-stores.js';

const SESSION = 'session-of-alice';
const VIOLATION: Violation = { code: 'session_tainted', reason: 'session touched secret data' };
const POLICY_ERROR = {
  type: 'about:blank',
  title: 'Forbidden',
  status: 403,
  detail: 'the policy could not be evaluated',
  instance: ANY_INSTANCE,
  code: 'policy.error',
};
const DOWN = `no answer about ${SESSION} with secret-label from redis://u:p@host`;
const DOWN_IN_ALARM = 'no answer about *** with *** from redis://***';

/** What a function of the app may do wrong; `error` is what the alarm tells. */
const MISTAKES: ReadonlyArray<readonly [what: string, answer: () => unknown, error: RegExp, code?: string]> = [
  ...(
    [
      ['nothing', undefined],
      ['null', null],
      ['a string', 'allow'],
      ['a number', 1],
      ['an empty object', {}],
      ['a list', []],
    ] as const
  ).flatMap(([what, value]) => [
    [`answers with ${what}`, () => value, /must/, 'policy.error'] as const,
    [`resolves to ${what}`, async () => value, /must/, 'policy.error'] as const,
  ]),
  [
    'throws',
    () => {
      throw new Error(DOWN);
    },
    new RegExp(`^${DOWN_IN_ALARM.replace(/[*]/g, '\\*')}$`),
  ],
  ['rejects', () => Promise.reject(new Error(DOWN)), /^no answer about \*\*\* with \*\*\* from/],
  ['rejects with nothing', () => Promise.reject(), /^undefined$/],
  [
    'throws nothing',
    () => {
      throw undefined;
    },
    /^undefined$/,
  ],
  [
    'answers with a thenable that throws',
    () =>
      settlingTwice(() => {
        throw new Error('bad thenable');
      }),
    /^bad thenable$/,
  ],
];

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`policies, ${version}`, () => {
    const alarms: Alarm[] = [];
    let handled: number;
    let store: SessionStore & ScriptedStore;
    const handler: RequestHandler = (req, res) => {
      handled++;
      res.json([...req.security.labels]);
    };
    const onError: ErrorRequestHandler = (error, _req, res, _next) => void res.status(500).send(String(error.code));

    beforeEach(() => {
      alarms.length = 0;
      handled = 0;
      store = new ScriptedStore({ load: async () => ['secret-label'] });
    });

    function appOf(...handlers: RequestHandler[]): Express {
      const middleware = aplSessionMiddleware({
        session: (req) => (req.get('x-no-session') ? undefined : SESSION),
        store,
        logger: { warn() {}, error() {} },
        onAlarm: (alarm) => void alarms.push(alarm),
      });
      const app = express().set('env', 'test').use(middleware);
      return app.get('/mail/:to', ...handlers).use(onError);
    }

    const guards: ReadonlyArray<readonly [name: string, make: (answer: () => unknown) => RequestHandler]> = [
      ['denyIf', (answer) => denyIf(answer as RequestPredicate, VIOLATION)],
      ['requireThat', (answer) => requireThat(answer as RequestPredicate, VIOLATION)],
      ['policy', (answer) => policy(answer as DecidePolicy)],
    ];
    for (const [name, make] of guards) {
      for (const [what, answer, error, code] of MISTAKES) {
        it(`G2: ${name}: a function that ${what}: 403 policy.error`, async () => {
          const { body, headers } = await request(appOf(make(answer), handler))
            .get('/mail/bob')
            .expect(403);
          expect(anyInstanceIn(body)).to.deep.equal(POLICY_ERROR);
          expect(headers).to.include({ 'cache-control': 'no-store' });
          expect(handled).to.equal(0);
          expect(alarms).to.have.length(1);
          const alarm = { ...alarms[0] };
          expect(alarm).to.have.property('error').that.matches(error);
          expect(alarm).to.deep.equal({
            alarm: 'policy_error',
            guard: name,
            route: 'GET /mail/:to',
            instance: body.instance,
            error: 'error' in alarm && alarm.error,
            ...(code && { code }),
          });
        });
      }

      for (const [how, answer] of [
        [
          'throws',
          () => {
            throw new PolicyViolation(VIOLATION);
          },
        ],
        ['rejects with', () => Promise.reject(new PolicyViolation(VIOLATION))],
      ] as const) {
        it(`${name}: a function that ${how} a PolicyViolation denies with it`, async () => {
          const { body } = await request(appOf(make(answer), handler))
            .get('/mail/bob')
            .expect(403);
          expect(body.code).to.equal('session_tainted');
          expect(handled).to.equal(0);
          expect(alarms).to.deep.equal([]);
        });
      }
    }

    it('the alarm of a named guard has its name', async () => {
      const guard = denyIf((() => undefined) as unknown as RequestPredicate, VIOLATION, { name: 'mail' });
      await request(appOf(guard, handler)).get('/mail/bob').expect(403);
      expect(alarms[0]).to.include({ guard: 'mail' });
    });

    describe('requireThat', () => {
      for (const [what, predicate, status] of [
        ['true', () => true, 200],
        ['false', () => false, 403],
        ['a promise of true', async () => true, 200],
        ['a promise of false', async () => false, 403],
      ] as const) {
        it(`${what}: ${status}`, async () => {
          const { body } = await request(appOf(requireThat(predicate, VIOLATION), handler))
            .get('/mail/bob')
            .expect(status);
          if (status === 403) expect(body.code).to.equal('session_tainted');
          expect(handled).to.equal(status === 200 ? 1 : 0);
          expect(alarms).to.deep.equal([]);
        });
      }
    });

    describe('denyIf', () => {
      it('all: one label that is missing lets the request through', async () => {
        const both = denyIf({ all: ['secret-label', 'other'] }, VIOLATION);
        await request(appOf(both, handler)).get('/mail/bob').expect(200);
        await request(appOf(taint('other'), both, handler))
          .get('/mail/bob')
          .expect(403);
      });
    });

    describe('requireSession', () => {
      it('a request with a session goes on', async () => {
        await request(appOf(requireSession(), handler)).get('/mail/bob').expect(200);
      });

      it('G6: a request without a session: 403, no handler, no store call', async () => {
        const { body } = await request(appOf(requireSession(), handler))
          .get('/mail/bob')
          .set('x-no-session', '1')
          .expect(403);
        expect(anyInstanceIn(body)).to.deep.equal({
          ...POLICY_ERROR,
          detail: 'this request needs a session',
          code: 'session.required',
        });
        expect(handled).to.equal(0);
        expect(store.loads).to.deep.equal([]);
        expect(alarms).to.deep.equal([]);
      });

      it('mounted without being called, it lets nothing through', async () => {
        const app = appOf(requireSession as unknown as RequestHandler, handler);
        await request(app).get('/mail/bob').expect(500, 'config.invalid');
        expect(handled).to.equal(0);
      });
    });

    describe('policy', () => {
      const decisions: ReadonlyArray<readonly [what: string, decision: PolicyDecision, status: number]> = [
        ['{ allow: true }', { allow: true }, 200],
        ['a violation', VIOLATION, 403],
        ['a PolicyViolation', new PolicyViolation(VIOLATION), 403],
      ];
      for (const [what, decision, status] of decisions) {
        for (const [how, decide] of [
          [what, () => decision],
          [`a promise of ${what}`, async () => decision],
        ] as const) {
          it(`${how}: ${status}`, async () => {
            const { body } = await request(appOf(policy(decide), handler))
              .get('/mail/bob')
              .expect(status);
            if (status === 403) expect(body).to.include({ code: 'session_tainted', detail: VIOLATION.reason });
            expect(handled).to.equal(status === 200 ? 1 : 0);
            expect(alarms).to.deep.equal([]);
          });
        }
      }

      const almost: ReadonlyArray<readonly [what: string, decision: unknown]> = [
        ['true', true],
        ['false', false],
        ['{ allow: false }', { allow: false }],
        ["{ allow: 'true' }", { allow: 'true' }],
        ['{ allow: 1 }', { allow: 1 }],
        ['an allow that is inherited', Object.create({ allow: true })],
        ['an allow with a violation', { allow: true, ...VIOLATION }],
        ['an allow with a code', { allow: true, code: 'c' }],
        ['a violation without a reason', { code: 'c' }],
        ['a violation without a code', { reason: 'r' }],
        ['a function', () => ({ allow: true })],
      ];
      for (const [what, decision] of almost) {
        it(`G2: ${what} does not allow: 403 policy.error`, async () => {
          const { body } = await request(appOf(policy((() => decision) as unknown as DecidePolicy), handler))
            .get('/mail/bob')
            .expect(403);
          expect(anyInstanceIn(body)).to.deep.equal(POLICY_ERROR);
          expect(handled).to.equal(0);
          expect(alarms).to.have.length(1);
        });
      }

      it('decides on the request and its labels, and without a subject', async () => {
        const seen: unknown[] = [];
        const guard = policy(({ req, labels, subject }) => {
          seen.push(req.params['to'], [...labels], subject);
          return { allow: true };
        });
        await request(appOf(taint('m', { scope: 'message' }), taint('new'), guard, handler))
          .get('/mail/bob')
          .expect(200);
        expect(seen).to.deep.equal(['bob', ['secret-label', 'm', 'new'], undefined]);
      });

      for (const [how, subject] of [
        ['subject', (req: Request) => req.get('x-user')],
        ['subject that is async', async (req: Request) => req.get('x-user')],
      ] as const) {
        it(`decides on what an async function (${how}) returns`, async () => {
          const guard = policy((input) => (input.subject === 'alice' ? { allow: true } : VIOLATION), { subject });
          await request(appOf(guard, handler)).get('/mail/bob').set('x-user', 'alice').expect(200);
          await request(appOf(guard, handler)).get('/mail/bob').set('x-user', 'bob').expect(403);
        });
      }

      for (const [how, subject] of [
        [
          'throws',
          () => {
            throw new Error(DOWN);
          },
        ],
        ['rejects', () => Promise.reject(new Error(DOWN))],
      ] as const) {
        it(`G2: a subject that ${how}: 403 policy.error, and no decision`, async () => {
          let decided = 0;
          const decide = (): PolicyDecision => {
            decided++;
            return { allow: true };
          };
          const { body } = await request(appOf(policy(decide, { subject }), handler))
            .get('/mail/bob')
            .expect(403);
          expect(anyInstanceIn(body)).to.deep.equal(POLICY_ERROR);
          expect(decided).to.equal(0);
          expect(alarms[0]).to.include({ guard: 'policy', error: DOWN_IN_ALARM });
        });
      }

      it('calls neither function for a request that is denied already', async () => {
        const asked = (): never => {
          throw new Error('asked');
        };
        const app = appOf(denyIf('secret-label', VIOLATION), policy(asked, { subject: asked }), handler);
        await request(app).get('/mail/bob').expect(403);
        expect(alarms).to.deep.equal([]);
      });

      it('an error of the next handler is not an error of the policy', async () => {
        const throwing: RequestHandler = () => {
          throw Object.assign(new Error('x'), { code: 'of the handler' });
        };
        for (const guard of [policy(() => ({ allow: true })), policy(async () => ({ allow: true as const }))]) {
          await request(appOf(guard, throwing)).get('/mail/bob').expect(500, 'of the handler');
        }
        expect(alarms).to.deep.equal([]);
      });

      it('a decision that comes after the response has no effect', async () => {
        const decision = deferred<PolicyDecision>();
        const answerMeanwhile: RequestHandler = (_req, res, next) => {
          next();
          res.status(503).send('too slow');
          res.once('close', () => decision.resolve(VIOLATION));
        };
        await request(
          appOf(
            answerMeanwhile,
            policy(() => decision.promise),
            handler,
          ),
        )
          .get('/mail/bob')
          .expect(503, 'too slow');
        expect(handled).to.equal(0);
      });
    });

    describe('taint with message scope', () => {
      const forMessage = taint('m', { scope: 'message' });

      it('is seen by the rest of the request, and never appended', async () => {
        await request(appOf(forMessage, handler)).get('/mail/bob').expect(200, ['secret-label', 'm']);
        await request(appOf(forMessage, denyIf('m', VIOLATION), handler))
          .get('/mail/bob')
          .expect(403);
        expect(store.appends).to.deep.equal([]);
      });

      it('G4: the next request of the session does not have it', async () => {
        const remembering = new MemorySessionStore();
        const app = express().use(aplSessionMiddleware({ session: () => SESSION, store: remembering }));
        app.get('/taint', forMessage, handler).get('/look', handler);
        await request(app).get('/taint').expect(200, ['m']);
        await request(app).get('/look').expect(200, []);
      });

      it('is not appended along with labels of the session', async () => {
        const add: RequestHandler = (req, _res, next) => {
          req.security.labels.add('late');
          next();
        };
        await request(appOf(forMessage, taint('s'), add, handler))
          .get('/mail/bob')
          .expect(200);
        expect(store.appends).to.deep.equal([['s'], ['late']]);
      });

      for (const [what, first, second] of [
        ['then with session scope', forMessage, taint('m')],
        ['after session scope', taint('m'), forMessage],
      ] as const) {
        it(`G7: ${what}: the label is appended`, async () => {
          await request(appOf(first, second, handler))
            .get('/mail/bob')
            .expect(200);
          expect(store.appends).to.deep.equal([['m']]);
        });
      }

      it('G1: added to the session later, it holds the response', async () => {
        store = new ScriptedStore({ append: () => Promise.reject(new Error('down')) });
        const promote: RequestHandler = (req, res) => {
          req.security.labels.add('m');
          res.send('stolen');
        };
        const { body } = await request(appOf(forMessage, promote)).get('/mail/bob').expect(403);
        expect(body.code).to.equal('session.persist_failed');
      });

      it('stays a label of the message when a second mount takes over', async () => {
        const second = aplSessionMiddleware({ session: () => SESSION, store });
        await request(appOf(forMessage, taint('early'), second, handler))
          .get('/mail/bob')
          .set('x-no-session', '1')
          .expect(200, ['secret-label', 'm', 'early']);
        expect(store.appends).to.deep.equal([['early']]);
      });

      it('needs no store: it works also where appends fail', async () => {
        store = new ScriptedStore({ append: () => Promise.reject(new Error('down')) });
        await request(appOf(forMessage, handler)).get('/mail/bob').expect(200, ['m']);
      });
    });
  });
}
