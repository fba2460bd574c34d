import { expect } from 'chai';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import { type Alarm, aplSessionMiddleware, type SessionStore, type Violation } from '../../lib/index.js';
import { ANY_INSTANCE, withAnyInstance } from './denial-instance.js';
import type { ExpressModule } from './express-versions.js';
import { ScriptedStore } from './failing-stores.js';
import { HeldStore } from './held-store.js';
import { type RunningServer, serve } from './raw-http.js';

export const SESSION = 'session-of-alice';
export const LABEL = 'secret-label';
export const VIOLATION: Violation = { code: 'session_tainted', reason: 'session touched secret data' };
/** The body of a denial for `VIOLATION`, after `withAnyInstance()`. */
export const DENIAL_BODY = `{"type":"about:blank","title":"Forbidden","status":403,"detail":"session touched secret data","instance":"${ANY_INSTANCE}","code":"session_tainted"}`;

/** Asserts that the bytes on the connection are a denial for `VIOLATION`, and nothing else. */
export function assertDenialOnly(text: string): void {
  const lines = withAnyInstance(text)
    .replace(/^Date: .*$/m, 'Date: -')
    .split('\r\n');
  expect(lines).to.deep.equal([
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
}

export const INVALID_VIOLATIONS: ReadonlyArray<readonly [what: string, violation: unknown]> = [
  ['no violation', undefined],
  ['null', null],
  ['a string', 'denied'],
  ['a violation without a code', { reason: 'r' }],
  ['an empty code', { code: '', reason: 'r' }],
  ['a code that is no string', { code: 403, reason: 'r' }],
  ['a violation without a reason', { code: 'c' }],
  ['an empty reason', { code: 'c', reason: '' }],
];

export function storeWith(...labels: string[]): ScriptedStore {
  return new ScriptedStore({ load: async () => labels });
}

export const failingStore = (): ScriptedStore => new ScriptedStore({ append: () => Promise.reject(new Error('down')) });

export interface GuardFixture {
  /** The alarms of the current test. */
  readonly alarms: Alarm[];
  /** Answers with "handled", and counts. */
  readonly handler: RequestHandler;
  handled(): number;
  /** Answers with the code of the error. */
  readonly onError: ErrorRequestHandler;
  /** An app with the handlers at `/`; `/probe` has no session. */
  appOf(store: SessionStore, ...handlers: RequestHandler[]): Express;
  /** Starts the app and returns its port. */
  listen(app: Express): Promise<number>;
}

/** What tests of guards need. Call it in a `describe`: it registers hooks that start and stop with each test. */
export function guardFixture(express: ExpressModule): GuardFixture {
  const servers: RunningServer[] = [];
  const alarms: Alarm[] = [];
  let handled = 0;
  const onError: ErrorRequestHandler = (error, _req, res, _next) => void res.status(500).send(String(error.code));

  beforeEach(() => {
    alarms.length = 0;
    handled = 0;
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  return {
    alarms,
    onError,
    handled: () => handled,
    handler(_req, res) {
      handled++;
      res.send('handled');
    },
    appOf(store, ...handlers) {
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
    },
    async listen(app) {
      const server = await serve(app);
      servers.push(server);
      return server.port;
    },
  };
}
