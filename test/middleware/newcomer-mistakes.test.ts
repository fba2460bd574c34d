import { createRequire } from 'node:module';
import { expect } from 'chai';
import type { ErrorRequestHandler, Express, Request, RequestHandler } from 'express';
import expressSession, { MemoryStore } from 'express-session';
import { Redis } from 'ioredis';
import request from 'supertest';
import { securityContext } from '../../lib/context.js';
import {
  type AplSessionOptions,
  aplSessionMiddleware,
  denyIf,
  fromExpressJwt,
  fromExpressSession,
  fromMcpBearerAuth,
  fromOauth2JwtBearer,
  fromPassport,
  jsonRpcDenial,
  MemorySessionStore,
  policy,
  policyViolationHandler,
  requireSession,
  requireThat,
  type SessionStoreFactory,
  type SubjectSessionOptions,
  subjectSession,
  taint,
} from '../../lib/index.js';
import { valkeySessionStoreFactory } from '../../lib/valkey.js';
import { thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';

const session = (): string => 'id';
const VIOLATION = { code: 'c', reason: 'r' };
const cookieSession = expressSession({ secret: 's', resave: false, saveUninitialized: false });
const load = createRequire(import.meta.url);

type Mistake = readonly [what: string, make: () => unknown, code: string, text: string];

const withStore =
  (store: unknown, storeFactories: readonly SessionStoreFactory[] = []) =>
  (): unknown =>
    aplSessionMiddleware({ session, store, storeFactories } as unknown as AplSessionOptions);
const withSession = (given: unknown) => (): unknown =>
  aplSessionMiddleware({ session: given } as unknown as AplSessionOptions);
const withAccessors = (options: unknown) => (): unknown => subjectSession(options as SubjectSessionOptions);
const call =
  (make: (...args: never[]) => unknown, ...args: readonly unknown[]) =>
  (): unknown =>
    Reflect.apply(make, undefined, args);

const STORE = "store: give a SessionStore, or a block with a kind, for example { kind: 'memory' }; ";
const SESSION_HINT =
  ' Write session: subjectSession({ subject: (req) => req.auth?.sub }). For express-session, mount it with app.use() before, and add ...fromExpressSession() to these options.';
const hintFor = (name: string): string =>
  ` Write a function of the request, ${name}: (req) => ..., or spread the accessors of a package, ...fromExpressJwt({ issuer }).`;
const UNKNOWN_KIND =
  "Pass its factory in storeFactories; for 'valkey': import { valkeySessionStoreFactory } from 'express-apl-session/valkey', and storeFactories: [valkeySessionStoreFactory].";

/** A client that never connects. */
const client = new Redis({ lazyConnect: true });

const AT_CONSTRUCTION: readonly Mistake[] = [
  [
    'no options',
    call(aplSessionMiddleware),
    'config.invalid',
    "aplSessionMiddleware: 'options' must be an object with 'session'; got undefined.",
  ],
  [
    'no session',
    call(aplSessionMiddleware, {}),
    'config.invalid',
    `aplSessionMiddleware: 'session' is required.${SESSION_HINT}`,
  ],
  [
    'a string as session',
    withSession('abc'),
    'config.invalid',
    `aplSessionMiddleware: 'session' must be a function; got a string.${SESSION_HINT}`,
  ],
  [
    "express-session's middleware as session",
    withSession(cookieSession),
    'config.invalid',
    `aplSessionMiddleware: 'session' must be a function of the request; got a function with 3 parameters, as Express middleware has.${SESSION_HINT}`,
  ],
  [
    'subjectSession as session, not called',
    withSession(subjectSession),
    'config.invalid',
    'aplSessionMiddleware: subjectSession was given without being called. Write session: subjectSession({ subject: (req) => ... }).',
  ],
  ...[fromPassport, fromExpressSession, fromExpressJwt, fromOauth2JwtBearer, fromMcpBearerAuth].map(
    (accessor): Mistake => [
      `${accessor.name} as session, not called`,
      withSession(accessor),
      'config.invalid',
      `aplSessionMiddleware: ${accessor.name} was given without being called. Write subjectSession({ ...${accessor.name}(...) }).`,
    ],
  ),
  [
    'jsonRpcDenial as denial, not called',
    call(aplSessionMiddleware, { session, denial: jsonRpcDenial }),
    'config.invalid',
    'aplSessionMiddleware: jsonRpcDenial was given without being called. Write denial: jsonRpcDenial().',
  ],
  [
    'jsonRpcDenial as denial of a guard, not called',
    call(denyIf, 'secret', VIOLATION, { denial: jsonRpcDenial }),
    'config.invalid',
    'denyIf: jsonRpcDenial was given without being called. Write denial: jsonRpcDenial().',
  ],
  [
    "express-session's store as store",
    withStore(new MemoryStore()),
    'config.invalid',
    `${STORE}it is a store of express-session, which keeps other data; leave it there, and write { kind: 'memory' } or { kind: 'valkey', endpoint }.`,
  ],
  [
    'a client of ioredis as store',
    withStore(client),
    'config.invalid',
    `${STORE}it is a client of Valkey or Redis; write { kind: 'valkey', client } for a client of ioredis or iovalkey, else { kind: 'valkey', endpoint }.`,
  ],
  [
    'a client of redis as store',
    withStore((load('redis') as typeof import('redis')).createClient()),
    'config.invalid',
    `${STORE}it is a client of Valkey or Redis; write { kind: 'valkey', client } for a client of ioredis or iovalkey, else { kind: 'valkey', endpoint }.`,
  ],
  [
    'a factory as store',
    withStore(valkeySessionStoreFactory),
    'config.invalid',
    `${STORE}it is a factory; write storeFactories: [valkeySessionStoreFactory], and store: { kind: 'valkey', endpoint }.`,
  ],
  [
    'a class as store',
    withStore(MemorySessionStore),
    'config.invalid',
    `${STORE}it is a function or a class; call it, for example new MemorySessionStore().`,
  ],
  [
    'a promise as store',
    withStore(Promise.resolve(new MemorySessionStore())),
    'config.invalid',
    `${STORE}it is a promise; await it first.`,
  ],
  [
    'a URL as store',
    withStore('redis://u:secret@localhost'),
    'config.invalid',
    `${STORE}got a URL: write { kind: 'valkey', endpoint } and storeFactories: [valkeySessionStoreFactory].`,
  ],
  [
    'a misspelt member of a violation',
    call(denyIf, 'secret', { code: 'c', resaon: 'r' }),
    'violation.invalid',
    "A violation must be { code, reason } with two non-empty strings; 'reason' is missing: write 'reason' in place of 'resaon'.",
  ],
  [
    'a block without a kind',
    withStore({ knd: 'memory' }),
    'config.store_kind_missing',
    "The store block needs a kind, for example { kind: 'memory' } or { kind: 'valkey', endpoint }. Write 'kind' in place of 'knd'.",
  ],
  [
    'a store without appendLabels',
    withStore({ loadLabels: async () => [] }),
    'config.store_kind_missing',
    "The store block needs a kind, for example { kind: 'memory' } or { kind: 'valkey', endpoint }. A SessionStore needs both methods, loadLabels and appendLabels.",
  ],
  [
    'kind valkey without its factory',
    withStore({ kind: 'valkey', endpoint: 'localhost' }),
    'config.store_kind_unknown',
    `Store kind 'valkey' is unknown. ${UNKNOWN_KIND}`,
  ],
  [
    'kind redis',
    withStore({ kind: 'redis', endpoint: 'localhost' }),
    'config.store_kind_unknown',
    `Store kind 'redis' is unknown. Redis has the kind 'valkey' as well. ${UNKNOWN_KIND}`,
  ],
  [
    'a misspelt kind',
    withStore({ kind: 'memry' }),
    'config.store_kind_unknown',
    `Store kind 'memry' is unknown. Did you mean 'memory'? ${UNKNOWN_KIND}`,
  ],
  [
    'redis:// to another machine',
    withStore({ kind: 'valkey', endpoint: 'redis://valkey.internal' }, [valkeySessionStoreFactory]),
    'config.invalid',
    "ValkeySessionStore: endpoint 'redis://valkey.internal' is not a loopback address, so it needs TLS: use a rediss:// URL, or tls with host:port, or a 'client', whose own options decide about TLS.",
  ],
  [
    'the path of a certificate',
    withStore({ kind: 'valkey', endpoint: 'localhost', tls: { ca: '/etc/ssl/ca.pem' } }, [valkeySessionStoreFactory]),
    'config.invalid',
    "ValkeySessionStore: 'tls.ca' is not a valid PEM certificate; give its text, readFileSync(path, 'utf8'), not a path.",
  ],
  [
    'no endpoint',
    withStore({ kind: 'valkey' }, [valkeySessionStoreFactory]),
    'config.invalid',
    "ValkeySessionStore: give 'endpoint' for one server, 'sentinels' and 'name' for Sentinel, 'nodes' for a cluster, or a 'client'.",
  ],
  [
    'a TTL as text',
    withStore({ kind: 'valkey', endpoint: 'localhost', ttlSeconds: '60' }, [valkeySessionStoreFactory]),
    'config.invalid',
    "ValkeySessionStore: 'ttlSeconds' must be a number; got a string: convert it with Number().",
  ],
  [
    'a factory in place of a list',
    call(aplSessionMiddleware, { session, storeFactories: valkeySessionStoreFactory }),
    'config.invalid',
    "aplSessionMiddleware: 'storeFactories' must be an array; got an object. Write storeFactories: [valkeySessionStoreFactory].",
  ],
  [
    'a string as subject',
    withAccessors({ subject: 'alice' }),
    'config.invalid',
    `subjectSession: 'subject' must be a function; got a string.${hintFor('subject')}`,
  ],
  [
    'middleware as an accessor',
    withAccessors({ subject: session, sessionId: cookieSession }),
    'config.invalid',
    `subjectSession: 'sessionId' must be a function of the request; got a function with 3 parameters, as Express middleware has.${hintFor('sessionId')}`,
  ],
  [
    'the accessors of a package as one option',
    withAccessors({ subject: fromExpressJwt({ issuer: null }) }),
    'config.invalid',
    `subjectSession: 'subject' must be a function; got an object.${hintFor('subject')}`,
  ],
  [
    'an accessor that is spread without a call',
    withAccessors({ subject: session, ...fromExpressSession }),
    'config.invalid',
    'subjectSession: fromExpressSession was given without being called. Write subjectSession({ ...fromExpressSession(...) }).',
  ],
  [
    'an accessor that is not called',
    withAccessors({ subject: fromPassport }),
    'config.invalid',
    'subjectSession: fromPassport was given without being called. Write subjectSession({ ...fromPassport(...) }).',
  ],
  [
    'an accessor in place of the options',
    withAccessors(fromExpressJwt),
    'config.invalid',
    'subjectSession: fromExpressJwt was given without being called. Write subjectSession({ ...fromExpressJwt(...) }).',
  ],
  [
    'options for fromExpressSession()',
    call(fromExpressSession, { name: 'sid' }),
    'config.invalid',
    'fromExpressSession() takes no arguments. Write subjectSession({ subject, ...fromExpressSession() }).',
  ],
  [
    'the name of a property for fromPassport()',
    call(fromPassport, 'id'),
    'config.invalid',
    'fromPassport takes a function that returns the id of a user, for example fromPassport((user) => user.id); got a string.',
  ],
  [
    'a list of labels for taint()',
    call(taint, ['a', 'b']),
    'label.invalid',
    "taint takes labels one by one, taint('a', 'b'). Spread a list: taint(...labels).",
  ],
  [
    'a violation that is a string',
    call(denyIf, 'secret', 'no mail'),
    'violation.invalid',
    'A violation must be { code, reason } with two non-empty strings; got a string.',
  ],
  [
    'a label for requireThat()',
    call(requireThat, 'secret', VIOLATION),
    'config.invalid',
    'requireThat: the predicate must be a function of the request that returns true or false; got a string.',
  ],
  [
    'an object for policy()',
    call(policy, { allow: true }),
    'config.invalid',
    'policy: the decision must be a function of { req, labels, subject }; got an object.',
  ],
];

const uncalled = (name: string, example: string): string =>
  `${name} was mounted or passed on without being called, so it received a request. Write ${example} in its place.`;

/** Functions that an app mounts without a call. Express calls them with the request. */
const UNCALLED: ReadonlyArray<readonly [name: string, handler: unknown, text: string]> = [
  [
    'aplSessionMiddleware',
    aplSessionMiddleware,
    uncalled('aplSessionMiddleware', 'app.use(aplSessionMiddleware({ session }))'),
  ],
  ['taint', taint, uncalled('taint', "app.get('/path', taint('secret'), handler)")],
  ['denyIf', denyIf, uncalled('denyIf', "app.post('/path', denyIf('secret', { code, reason }), handler)")],
  ['requireThat', requireThat, uncalled('requireThat', "app.use('/path', requireThat(predicate, { code, reason }))")],
  ['requireSession', requireSession, uncalled('requireSession', "app.use('/path', requireSession())")],
  ['policy', policy, uncalled('policy', "app.post('/path', policy(decide), handler)")],
  [
    'policyViolationHandler',
    policyViolationHandler,
    'policyViolationHandler() takes only options. Call it: app.use(policyViolationHandler()).',
  ],
  ['securityContext', securityContext, 'securityContext() takes no arguments. Call it: app.use(securityContext()).'],
];

/** Resolvers whose mistake shows with the first request. */
const RESOLVERS: ReadonlyArray<readonly [what: string, session: unknown, code: string, text: string]> = [
  [
    'a resolver that returns a number',
    () => 42,
    'session.invalid',
    'The session resolver must return a string, { id, source }, { reason }, undefined or null, or a promise of one; got a number, so convert it: String(id).',
  ],
  [
    'a resolver that returns a numeric id',
    async () => ({ id: 42 }),
    'session.invalid',
    'The session resolver must return a string, { id, source }, { reason }, undefined or null, or a promise of one; got an object whose id is a number, so convert it: String(id).',
  ],
  [
    'express-session itself as session',
    expressSession,
    'session.invalid',
    "The session resolver must return a string, { id, source }, { reason }, undefined or null, or a promise of one; got a function; 'session' must be a resolver such as subjectSession({ ... }), not a function that makes middleware.",
  ],
  [
    'subjectSession with the request in place of options',
    (req: Request) => subjectSession(req as unknown as SubjectSessionOptions),
    'config.invalid',
    uncalled('subjectSession', 'subjectSession({ ... })'),
  ],
  [
    'a numeric subject',
    subjectSession({ subject: () => 42 as unknown as string }),
    'session.invalid',
    'subjectSession: subject must be a well-formed string, undefined or null; got a number, so convert it: String(id).',
  ],
  [
    'a numeric session id, as a promise',
    subjectSession({ subject: () => 'alice', sessionId: async () => 42 as unknown as string }),
    'session.invalid',
    'subjectSession: sessionId must be a well-formed string, undefined or null; got a number, so convert it: String(id).',
  ],
  [
    'a list of headers as session id',
    subjectSession({ subject: () => 'alice', sessionId: () => ['a', 'b'] as unknown as string }),
    'session.invalid',
    'subjectSession: sessionId must be a well-formed string, undefined or null; got an array.',
  ],
];

describe('mistakes of newcomers', () => {
  describe('at construction', () => {
    for (const [what, make, code, text] of AT_CONSTRUCTION) {
      it(`${what}: ${code}`, () => {
        const error = thrownBy(make);
        expect(error).to.have.property('message', text);
        expect(error).to.have.property('code', code);
      });
    }
  });

  for (const [version, express] of EXPRESS_VERSIONS) {
    describe(`with the first request, ${version}`, () => {
      const onError: ErrorRequestHandler = (error, _req, res, _next) =>
        void res.status(500).json({ code: error.code, message: error.message });
      let handled = 0;
      const handler: RequestHandler = (_req, res) => {
        handled++;
        res.send('handled');
      };
      beforeEach(() => {
        handled = 0;
      });
      const appOf = (...handlers: unknown[]): Express =>
        express()
          .set('env', 'test')
          .use(...(handlers as RequestHandler[]), handler)
          .use(onError);

      for (const [name, uncalledHandler, text] of UNCALLED) {
        it(`${name} is mounted without being called: config.invalid, and no handler runs`, async () => {
          const mounted = name === 'aplSessionMiddleware' ? [] : [aplSessionMiddleware({ session })];
          const app = appOf(...mounted, uncalledHandler);
          await request(app).get('/').expect(500, { code: 'config.invalid', message: text });
          expect(handled).to.equal(0);
        });
      }

      for (const [what, resolver, code, message] of RESOLVERS) {
        it(`${what}: ${code}, and no handler runs`, async () => {
          const app = appOf(aplSessionMiddleware({ session: resolver as AplSessionOptions['session'] }));
          await request(app).get('/').expect(500, { code, message });
          expect(handled).to.equal(0);
        });
      }

      for (const [what, guard] of [
        ['taint', taint('secret')],
        ['denyIf', denyIf('secret', VIOLATION)],
        ['requireThat', requireThat(() => true, VIOLATION)],
        ['requireSession', requireSession()],
        ['policy', policy(() => ({ allow: true }))],
      ] as const) {
        it(`${what} before the middleware: middleware.missing, and no handler runs`, async () => {
          const app = appOf(guard, aplSessionMiddleware({ session }));
          await request(app)
            .get('/')
            .expect(500, {
              code: 'middleware.missing',
              message: `The guard '${what}' met a request that aplSessionMiddleware has not seen. Mount the middleware before the guard: app.use(aplSessionMiddleware({ session })) above the routes.`,
            });
          expect(handled).to.equal(0);
        });
      }

      it('a middleware after the routes: a guard of these routes says so', async () => {
        const app = express().set('env', 'test').get('/', taint('secret'), handler);
        app.use(aplSessionMiddleware({ session })).use(onError);
        const { body } = await request(app).get('/').expect(500);
        expect(body.code).to.equal('middleware.missing');
      });

      it('an awaited aplSessionMiddleware() is the middleware itself', async () => {
        const middleware = await aplSessionMiddleware({ session: (_req: Request) => 'id' });
        await request(appOf(middleware)).get('/').expect(200, 'handled');
      });
    });
  }
});
