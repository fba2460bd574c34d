import { type ChannelListener, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect } from 'chai';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import request from 'supertest';
import * as contextHere from '../../lib/context.js';
import { VERSION } from '../../lib/contract/version.js';
import * as here from '../../lib/index.js';
import { read } from '../support/documents.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { copyPackage, type PackageCopy } from '../support/package-copy.js';

const VIOLATION = { code: 'session_tainted', reason: 'session touched secret data' };
const SECURITY = 'middleware/session-security.ts';
const quiet = { warn() {}, error() {} };
const answer: RequestHandler = (_req, res) => void res.send('ok');

describe('two copies of this package in one process', () => {
  it('errors show the version in package.json', () => {
    expect(VERSION).to.equal((JSON.parse(read('package.json')) as { version: string }).version);
  });

  const self: PackageCopy = { main: here, context: contextHere, remove() {} };
  let twin: PackageCopy;
  let newer: PackageCopy;
  let older: PackageCopy;
  before('loads the copies', async function () {
    this.timeout(60_000);
    twin = await copyPackage();
    newer = await copyPackage([
      { file: SECURITY, from: 'const PROTOCOL = 3;', to: 'const PROTOCOL = 999;' },
      { file: 'contract/version.ts', from: `'${VERSION}'`, to: "'9.8.7'" },
    ]);
    // as versions were that shared nothing
    older = await copyPackage([{ file: SECURITY, from: 'Symbol.for(', to: 'Symbol(' }]);
  });
  after(() => {
    for (const copy of [twin, newer, older]) copy?.remove();
  });

  /** Both ways round: whose middleware, and whose guards. */
  const ways: ReadonlyArray<readonly [name: string, mounted: () => PackageCopy, guarding: () => PackageCopy]> = [
    ['guards of the copy behind the middleware of this one', () => self, () => twin],
    ['guards of this one behind the middleware of the copy', () => twin, () => self],
  ];

  for (const [version, express] of EXPRESS_VERSIONS) {
    let store: ScriptedStore;
    let alarms: here.Alarm[];
    let errors: unknown[];
    beforeEach(() => {
      store = new ScriptedStore();
      alarms = [];
      errors = [];
    });

    function appOf(...handlers: RequestHandler[]): Express {
      const onError: ErrorRequestHandler = (error, _req, res, _next) => {
        errors.push(error);
        res.status(500).send(String(error.code));
      };
      const app = express().set('env', 'test');
      for (const handler of handlers) app.use(handler);
      return app.use(answer).use(onError);
    }
    const mount = ({ main }: PackageCopy, options: Partial<here.AplSessionOptions> = {}): here.AplSessionMiddleware =>
      main.aplSessionMiddleware({
        session: (req) => req.get('x-session'),
        store,
        logger: quiet,
        onAlarm: (alarm) => void alarms.push(alarm),
        ...options,
      });
    const enrolling = (copy: PackageCopy): RequestHandler => mount(copy, { sessions: 'enrolled' }).enroll();
    const ask = (app: Express) => request(app).get('/').set('x-session', 's');
    const denied = (app: Express) => ask(app).expect(403, /"code":"session_tainted"/);

    for (const [name, mounted, guarding] of ways) {
      describe(`${name}, ${version}`, () => {
        it('the copies are different objects', () => {
          expect(mounted().main.aplSessionMiddleware).to.not.equal(guarding().main.aplSessionMiddleware);
        });

        it('G1: taint() stores its label before the handler', async () => {
          const app = appOf(mount(mounted()), guarding().main.taint('secret'), (req, res) => {
            res.json({ appended: store.appends, labels: [...req.security.labels] });
          });
          await ask(app).expect(200, { appended: [['secret']], labels: ['secret'] });
        });

        it('G2: taint() denies if its append fails', async () => {
          store = new ScriptedStore({ append: () => Promise.reject(new Error('down')) });
          await ask(appOf(mount(mounted()), guarding().main.taint('secret'))).expect(403, /session\.persist_failed/);
        });

        it('a label of the message is not stored', async () => {
          const { taint } = guarding().main;
          const app = appOf(mount(mounted()), taint('secret', { scope: 'message' }), (req, res) => {
            res.json([...req.security.labels]);
          });
          await ask(app).expect(200, ['secret']);
          expect(store.appends).to.deep.equal([]);
        });

        it('denyIf(), requireThat() and policy() deny', async () => {
          const { denyIf, requireThat, policy } = guarding().main;
          for (const guard of [
            denyIf('PII', VIOLATION),
            requireThat(() => false, VIOLATION),
            policy(() => VIOLATION),
          ]) {
            store = new ScriptedStore({ load: async () => ['PII'] });
            await denied(appOf(mount(mounted()), guard));
          }
        });

        it('requireSession() knows the session, and guards raise session_missing', async () => {
          const { requireSession, denyIf } = guarding().main;
          await ask(appOf(mount(mounted()), requireSession())).expect(200, 'ok');
          await request(appOf(mount(mounted()), requireSession()))
            .get('/')
            .expect(403);
          await request(appOf(mount(mounted()), denyIf('PII', VIOLATION)))
            .get('/')
            .expect(200);
          expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['session_missing']);
        });

        it('currentSecurity() and securityContext() of either know the request', async () => {
          for (const mounting of [mounted(), guarding()]) {
            const app = appOf(mount(mounted()), mounting.context.securityContext(), (req, res) => {
              const found = [contextHere, twin.context].map(({ currentSecurity }) => currentSecurity());
              res.json(found.map((security) => security === req.security));
            });
            await ask(app).expect(200, [true, true]);
          }
        });

        it('a PolicyViolation of one is answered by the handler of the other', async () => {
          for (const [throwing, handling] of [
            [mounted(), guarding()],
            [guarding(), mounted()],
          ] as const) {
            const thrower: RequestHandler = () => {
              throw new throwing.main.PolicyViolation(VIOLATION);
            };
            await denied(
              appOf(mount(mounted()), thrower, handling.main.policyViolationHandler() as unknown as RequestHandler),
            );
          }
        });

        it('an error of one is an AplSessionError of the other', async () => {
          const error = new (guarding().main.AplSessionError)('store.full', 'full');
          expect(error).to.be.instanceOf(mounted().main.AplSessionError);
          store = new ScriptedStore({ load: () => Promise.reject(error) });
          await ask(appOf(mount(mounted()))).expect(403, /session\.load_failed/);
          expect(alarms[0]).to.include({ alarm: 'session_store_failure', code: 'store.full' });
        });

        it('events of both are on one channel, and a failure of one is over for the other', async () => {
          const heard: Array<{ version: string; mount: string; outcome: string }> = [];
          const listener: ChannelListener = (message) => void heard.push(message as (typeof heard)[number]);
          subscribe('express-apl-session:load', listener);
          try {
            const [first, second] = [mount(mounted()), mount(guarding())];
            store = Object.assign(store, { loadLabels: () => Promise.reject(new Error('down')) });
            await ask(appOf(first)).expect(403);
            Reflect.deleteProperty(store, 'loadLabels');
            await ask(appOf(second)).expect(200);
            expect(heard.map(({ version: of, outcome }) => `${of} ${outcome}`)).to.deep.equal([
              `${VERSION} failed`,
              `${VERSION} loaded`,
            ]);
            expect(new Set(heard.map((event) => event.mount)).size).to.equal(2);
            await (first as here.AplSessionMiddleware).close();
            expect(alarms.map(({ alarm }) => alarm)).to.deep.equal([
              'session_store_failure',
              'session_store_recovered',
            ]);
          } finally {
            unsubscribe('express-apl-session:load', listener);
          }
        });

        it('the middleware of both loads a session once', async () => {
          const app = appOf(mount(mounted()), mount(guarding()), guarding().main.taint('secret'));
          await ask(app).expect(200, 'ok');
          expect({ loads: store.loads, appends: store.appends }).to.deep.equal({ loads: ['s'], appends: [['secret']] });
        });

        it('G7: a later mount that finds the session keeps the scope of labels', async () => {
          const early = mount(mounted(), { session: () => undefined });
          const app = appOf(
            early,
            (req, res, next) => {
              res.locals['labels'] = req.security.labels;
              next();
            },
            mounted().main.taint('early'),
            mounted().main.taint('passing', { scope: 'message' }),
            mount(guarding()),
            (req, res) => {
              res.locals['labels'].add('late');
              res.json([...req.security.labels]);
            },
          );
          alarms = [];
          await ask(app).expect(200, ['early', 'passing', 'late']);
          expect(store.appends).to.deep.equal([['early', 'late']]);
          expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['session_missing']);
        });
      });
    }

    describe(`of versions that cannot work together, ${version}`, () => {
      const refused: ReadonlyArray<readonly [what: string, handlers: () => RequestHandler[], names: RegExp]> = [
        [
          'a guard of this one behind another',
          () => [mount(newer), here.denyIf('a', VIOLATION)],
          /\(9\.8\.7\).*\(0\.1\.0\)/,
        ],
        ['taint() of this one behind another', () => [mount(newer), here.taint('a')], /\(9\.8\.7\).*\(0\.1\.0\)/],
        ['a guard of another behind this one', () => [mount(self), newer.main.taint('a')], /\(0\.1\.0\).*\(9\.8\.7\)/],
        ['a mount of this one behind another', () => [mount(newer), mount(self)], /\(9\.8\.7\).*\(0\.1\.0\)/],
        ['enroll() of this one behind another', () => [mount(newer), enrolling(self)], /\(9\.8\.7\).*\(0\.1\.0\)/],
        ['enroll() of another behind this one', () => [mount(self), enrolling(newer)], /\(0\.1\.0\).*\(9\.8\.7\)/],
        [
          'a guard behind one that shares nothing',
          () => [mount(older), here.requireSession()],
          /\(unknown\).*\(0\.1\.0\)/,
        ],
      ];
      for (const [what, handlers, names] of refused) {
        it(`G2: ${what}: middleware.conflict names both versions and the fix`, async () => {
          await ask(appOf(...handlers())).expect(500, 'middleware.conflict');
          expect(store.appends).to.deep.equal([]);
          expect(errors).to.have.length(1);
          const [error] = errors as [here.AplSessionError];
          expect(error).to.be.instanceOf(here.AplSessionError);
          expect(error.message).to.match(names).and.include('npm ls express-apl-session').and.include('npm dedupe');
        });
      }

      it('without any middleware: middleware.missing', async () => {
        await ask(appOf(here.requireSession())).expect(500, 'middleware.missing');
      });
    });
  }
});
