import { expect } from 'chai';
import type { RequestHandler, Response } from 'express';
import request from 'supertest';
import {
  type AplSessionOptions,
  type DenialOption,
  type DenialTemplate,
  denyIf,
  jsonRpcDenial,
  policy,
  requireSession,
  taint,
} from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { ANY_INSTANCE, anyInstanceIn } from '../support/denial-instance.js';
import { thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { addLabel, middlewareFixture, ok, rejecting, SESSION } from '../support/middleware-fixture.js';

const UNAVAILABLE: DenialTemplate = { status: 503, headers: { 'Retry-After': '1' } };
const GUARD_DENIAL = { status: 418, body: 'of the guard' };
const VIOLATION = { code: 'session_tainted', reason: 'session touched secret data' };

const stolen: RequestHandler = (_req, res) => {
  res.cookie('stolen', '1').set('X-Stolen', '1').status(201).send('handled');
};

interface StoreFailure {
  readonly what: string;
  readonly code: string;
  readonly options: () => Partial<AplSessionOptions>;
  readonly handlers?: readonly RequestHandler[];
}

const loadFails = { store: () => new ScriptedStore({ load: rejecting() }) };
const appendFails = { store: () => new ScriptedStore({ append: rejecting() }) };

const STORE_FAILURES: readonly StoreFailure[] = [
  { what: 'a failed load', code: 'session.load_failed', options: () => ({ store: loadFails.store() }) },
  {
    what: 'a session with too many labels',
    code: 'session.load_failed',
    options: () => ({ store: new ScriptedStore({ load: async () => ['a', 'b'] }), maxLabelsPerSession: 1 }),
  },
  {
    what: 'a failed append',
    code: 'session.persist_failed',
    options: () => ({ store: appendFails.store() }),
    handlers: [addLabel],
  },
  {
    what: 'a failed append of a taint guard with its own denial',
    code: 'session.persist_failed',
    options: () => ({ store: appendFails.store() }),
    handlers: [taint('secret', { denial: GUARD_DENIAL })],
  },
];

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`the option unavailable, ${version}`, () => {
    const { alarms, appOf, listen, middlewareWith } = middlewareFixture(express);

    for (const { what, code, options, handlers = [] } of STORE_FAILURES) {
      it(`G2: ${what}: the template sets the status and headers, and nothing of the handler leaves`, async () => {
        const denial = { status: 451, body: 'of a policy' };
        const middleware = middlewareWith({ ...options(), denial, unavailable: UNAVAILABLE });
        const { status, headers, body } = await request(appOf(middleware, ...handlers, stolen)).get('/');
        expect(status).to.equal(503);
        expect(body).to.include({ title: 'Service Unavailable', status: 503, code });
        expect(headers).to.include({ 'retry-after': '1', 'cache-control': 'no-store' });
        expect(headers).not.to.have.any.keys('set-cookie', 'x-stolen');
      });

      it(`${what}: jsonRpcDenial() answers with the id of the call`, async () => {
        const unavailable = jsonRpcDenial({ status: 503 });
        const app = express().use(
          express.json(),
          appOf(middlewareWith({ ...options(), unavailable }), ...handlers, stolen),
        );
        const { status, body } = await request(app).post('/').send({ jsonrpc: '2.0', id: 7, method: 'tools/call' });
        const data = anyInstanceIn(body.error.data);
        expect({ status, id: body.id, data }).to.deep.equal({
          status: 503,
          id: 7,
          data: { code, instance: ANY_INSTANCE },
        });
      });

      it(`G2: ${what}: a renderer that fails ends in a plain 403 and an alarm`, async () => {
        const unavailable = rejecting('broken');
        const app = appOf(middlewareWith({ ...options(), unavailable }), ...handlers, stolen);
        const { body } = await request(app).get('/').expect(403);
        expect(body).to.include({ status: 403, code });
        const failures = alarms.filter(({ alarm }) => alarm === 'denial_not_rendered');
        expect(failures.map(({ error }) => error)).to.deep.equal(['broken']);
      });

      it(`${what}: without the option, the denial option decides`, async () => {
        const denial = { status: 451, body: 'denied' };
        const { status } = await request(appOf(middlewareWith({ ...options(), denial }), ...handlers, stolen)).get('/');
        expect(status).to.equal(what.includes('own denial') ? GUARD_DENIAL.status : 451);
      });
    }

    it('G2: a session beyond maxKnownSessions is a store failure', async () => {
      const middleware = middlewareWith({
        session: (req) => req.path,
        maxKnownSessions: 1,
        unavailable: UNAVAILABLE,
      });
      const first = deferred<Response>();
      const { port } = await listen(appOf(middleware, (_req, res) => first.resolve(res)));
      const firstAnswer = fetch(`http://127.0.0.1:${port}/first`);
      const res = await first.promise;
      expect((await fetch(`http://127.0.0.1:${port}/second`)).status).to.equal(503);
      expect(alarms).to.have.length(1);
      expect(alarms[0]).to.include({ code: 'session.capacity_exceeded' });
      res.send('ok');
      expect((await firstAnswer).status).to.equal(200);
    });

    it('a logger in front of the middleware sees the status that is sent', async () => {
      const statuses: number[] = [];
      const log: RequestHandler = (_req, res, next) => {
        res.on('finish', () => statuses.push(res.statusCode));
        next();
      };
      const middleware = middlewareWith({ store: loadFails.store(), unavailable: UNAVAILABLE });
      await request(express().use(log, middleware, ok))
        .get('/')
        .expect(503);
      expect(statuses).to.deep.equal([503]);
    });

    const policies: ReadonlyArray<readonly [what: string, handlers: RequestHandler[], Partial<AplSessionOptions>?]> = [
      ['deny()', [(req) => req.security.deny(VIOLATION)]],
      ['denyIf()', [denyIf(() => true, VIOLATION)]],
      [
        'a policy that throws',
        [
          policy(() => {
            throw new Error('broken');
          }),
        ],
      ],
      ['requireSession()', [requireSession()], { session: () => undefined }],
      ["sessionless: 'deny'", [ok], { session: () => undefined, sessionless: 'deny' }],
    ];
    for (const [what, handlers, options] of policies) {
      it(`does not apply to ${what}`, async () => {
        await request(appOf(middlewareWith({ unavailable: UNAVAILABLE, ...options }), ...handlers))
          .get('/')
          .expect(403);
      });
    }

    it('G3: does not apply to a denial whose labels cannot be stored', async () => {
      const middleware = middlewareWith({ store: appendFails.store(), unavailable: UNAVAILABLE });
      const guards = [addLabel, denyIf(() => true, VIOLATION, { denial: GUARD_DENIAL })];
      const { text } = await request(appOf(middleware, ...guards))
        .get('/')
        .expect(418);
      expect(text).to.equal('of the guard');
      expect(alarms).to.have.length(1);
    });
  });
}

describe('the option unavailable, construction', () => {
  const { middlewareWith } = middlewareFixture(EXPRESS_VERSIONS[0]?.[1] as never);
  for (const [what, unavailable, message] of [
    [
      'a status',
      503,
      /'unavailable' must be \{ status, headers, body \}, or a function of \(denial, req, res\); got a number/,
    ],
    ['a status below 400', { status: 200 }, /unavailable: 'status' must be at least 400/],
    [
      'an unknown key',
      { retryAfter: 1 },
      /unavailable: unknown option 'retryAfter'; the options are 'status', 'headers', 'body'/,
    ],
  ] as const) {
    it(`${what} is config.invalid`, () => {
      const error = thrownBy(() =>
        middlewareWith({ session: () => SESSION, unavailable: unavailable as DenialOption }),
      );
      expect(error).to.have.property('code', 'config.invalid');
      expect((error as Error).message).to.match(message);
    });
  }
});
