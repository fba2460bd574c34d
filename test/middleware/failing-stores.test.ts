import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import {
  type Alarm,
  aplSessionMiddleware,
  type DenialTemplate,
  type RequestSecurity,
  type SessionStore,
  type SessionStoreFailure,
} from '../../lib/index.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { ANY_INSTANCE, instancesIn, withAnyInstance } from '../support/denial-instance.js';
import { EXPRESS_VERSIONS, type ExpressModule } from '../support/express-versions.js';
import {
  APPEND_FAILURES,
  type Failure,
  LOAD_FAILURES,
  ScriptedStore,
  SlowStore,
  settlingTwice,
} from '../support/failing-stores.js';
import { get, type RunningServer, serve, Wire } from '../support/raw-http.js';

const STORE_TIMEOUT_MS = 10;
const LABEL = 'secret-label';

/** A label that could not be stored is owed by its session, so each row has a session of its own. */
let sessions = 0;
function newSession(): string {
  sessions += 1;
  return `session-${sessions}`;
}

/** A row that waits for bytes which do not come is given up, so that its texts are compared and not a clock. */
const GIVE_UP_MS = 4_000;

/** A way in which an app answers. Paths are words, so that the route in an alarm is the path. */
interface Way {
  readonly name: string;
  readonly answer: RequestHandler;
  readonly method?: 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** How the answer ends with a store that works; until then a connection is not used again. */
  readonly last: RegExp;
  /** The handler waits for the socket before it ends its response, so the refusal comes first and ends the connection. */
  readonly streams?: boolean;
}

const directory = mkdtempSync(join(tmpdir(), 'apl-table-'));
const file = join(directory, 'stolen.txt');
writeFileSync(file, 'stolen file');

const WAYS: readonly Way[] = [
  { name: 'send', last: /stolen text$/, answer: (_req, res) => void res.status(201).send('stolen text') },
  { name: 'json', last: /\}$/, answer: (_req, res) => void res.json({ stolen: 'json' }) },
  {
    name: 'redirect-with-cookie',
    last: /\/stolen$/,
    answer: (_req, res) => void res.cookie('id', 'stolen').redirect('/stolen'),
  },
  {
    name: 'sendFile',
    last: /stolen file$/,
    streams: true,
    answer: (_req, res) => res.sendFile(file),
  },
  {
    name: 'download',
    last: /stolen file$/,
    streams: true,
    answer: (_req, res) => res.download(file, 'stolen-name.txt'),
  },
  {
    name: 'pipe',
    last: /\r\n0\r\n\r\n$/,
    streams: true,
    answer: (_req, res) => void Readable.from(['stolen one', 'stolen two']).pipe(res.type('text')),
  },
  {
    name: 'write-end',
    last: /\r\n0\r\n\r\n$/,
    answer(_req, res) {
      res.writeHead(200, 'Stolen', { 'X-Stolen': 'yes' });
      res.write('stolen one');
      res.end('stolen two');
    },
  },
  {
    name: 'flushHeaders-end',
    last: /\r\n0\r\n\r\n$/,
    answer(_req, res) {
      res.flushHeaders();
      res.end('stolen');
    },
  },
  { name: 'HEAD', method: 'HEAD', last: /\r\n\r\n$/, answer: (_req, res) => void res.send('stolen text') },
  {
    name: 'fresh',
    headers: { 'If-None-Match': '"stolen"' },
    last: /\r\n\r\n$/,
    answer: (_req, res) => void res.set('ETag', '"stolen"').send('stolen text'),
  },
  { name: 'no-content', last: /\r\n\r\n$/, answer: (_req, res) => void res.set('Link', '</stolen>').status(204).end() },
  {
    name: 'throws',
    last: /<\/html>\n$/,
    answer() {
      throw failure();
    },
  },
  {
    name: 'next-err',
    last: /\}$/,
    answer: (_req, _res, next) => next(Object.assign(failure(), { custom: true })),
  },
  { name: 'not-found', last: /<\/html>\n$/, answer: (_req, _res, next) => next() },
];

/** Denials that the app itself makes. */
const DENIALS: readonly Way[] = [
  {
    name: 'unauthorized',
    last: /log in\.$/,
    answer: (_req, res) => void res.status(401).set('WWW-Authenticate', 'Bearer').send('Please log in.'),
  },
  { name: 'forbidden', last: /\}$/, answer: (_req, res) => void res.status(403).json({ denied: 'by the app' }) },
  { name: 'unauthorized-status', last: /Unauthorized$/, answer: (_req, res) => void res.sendStatus(401) },
  {
    name: 'forbidden-writeHead',
    last: /\r\n0\r\n\r\n$/,
    answer(_req, res) {
      res.writeHead(403, { 'X-Reason': 'policy' });
      res.write('no');
      res.end();
    },
  },
  {
    name: 'forbidden-pipe',
    last: /\r\n0\r\n\r\n$/,
    answer: (_req, res) => void Readable.from(['no ', 'way']).pipe(res.status(403)),
  },
  { name: 'forbidden-HEAD', method: 'HEAD', last: /\r\n\r\n$/, answer: (_req, res) => void res.status(403).send('no') },
  {
    name: 'forbidden-thrown',
    last: /<\/html>\n$/,
    answer() {
      throw Object.assign(failure(), { status: 403 });
    },
  },
];

function failure(): Error {
  const error = new Error('stolen message');
  error.stack = 'Error: stolen message';
  return error;
}

/** How store failures are answered. */
interface Form {
  readonly title: string;
  readonly status: number;
  readonly statusText: string;
  readonly unavailable?: DenialTemplate;
  /** The lines of the template's headers. */
  readonly headers: readonly string[];
  readonly isTestedWith: (failure: Failure) => boolean;
}

const FORMS: readonly Form[] = [
  { title: 'by default', status: 403, statusText: 'Forbidden', headers: [], isTestedWith: () => true },
  {
    title: 'with unavailable',
    status: 503,
    statusText: 'Service Unavailable',
    unavailable: { status: 503, headers: { 'Retry-After': '1' } },
    headers: ['Retry-After: 1'],
    isTestedWith: ({ name }) => name === 'rejecting' || name === 'hanging',
  },
];

interface Fixture {
  readonly server: RunningServer;
  readonly alarms: Alarm[];
  handled: number;
  /** The client has read the first bytes. */
  arrived: Deferred<void>;
}

/** The app of the table; `store` undefined is plain Express. */
async function start(
  express: ExpressModule,
  store: SessionStore | undefined,
  unavailable?: DenialTemplate,
): Promise<Fixture> {
  const alarms: Alarm[] = [];
  const app: Express = express().set('env', 'test');
  app.use((_req, res, next) => {
    res.setHeader('X-Frame-Options', 'DENY');
    res.setHeader('Vary', ['Origin', 'Accept']);
    res.setHeader('Set-Cookie', ['before=1']);
    next();
  });
  app.use(
    store
      ? aplSessionMiddleware({
          session: (req) => req.get('x-session'),
          store,
          storeTimeoutMs: store instanceof SlowStore ? 2_000 : STORE_TIMEOUT_MS,
          logger: { warn() {}, error() {} },
          onAlarm: (alarm) => void alarms.push(alarm),
          ...(unavailable && { unavailable }),
        })
      : unsecured,
  );
  const countAndSpoil: RequestHandler = (req, res, next) => {
    fixture.handled++;
    req.security.labels.add(LABEL);
    res.cookie('stolen', 'cookie');
    res.appendHeader('Vary', 'X-Stolen');
    res.setHeader('X-Frame-Options', 'STOLEN');
    next();
  };
  for (const { name, answer } of [...WAYS, ...DENIALS]) app.get(`/${name}`, countAndSpoil, answer);
  app.get('/label-after-bytes', (req, res) => {
    res.write('first', () => {
      req.security.labels.add(LABEL);
      res.write('stolen');
      res.end();
    });
  });
  app.get('/label-after-arrival', async (req, res) => {
    res.write('first');
    await fixture.arrived.promise;
    req.security.labels.add(LABEL);
    res.write('stolen');
    res.end();
  });
  app.get('/write-and-stall', countAndSpoil, (_req, res) => void res.write('stolen'));
  app.get('/after', (_req, res) => void res.send('the next answer'));
  const onError: ErrorRequestHandler = (error, _req, res, next) => {
    if (error.custom) res.status(502).set('Location', '/stolen').json({ stolen: error.message });
    else next(error);
  };
  app.use(onError);
  const fixture: Fixture = { server: await serve(app), alarms, handled: 0, arrived: deferred() };
  return fixture;
}

const unsecured: RequestHandler = (req, _res, next) => {
  req.security = { labels: new Set<string>() } as unknown as RequestSecurity;
  next();
};

/** Asks in one way, and if the connection stays open, asks for something else on it. */
async function converse({ server }: Fixture, way: Way, last: RegExp | undefined): Promise<Conversation> {
  const wire = new Wire(server.port);
  const timer = setTimeout(() => wire.destroy(), GIVE_UP_MS);
  const started = performance.now();
  wire.send(get(`/${way.name}`, { 'X-Session': newSession(), ...way.headers }).replace('GET', way.method ?? 'GET'));
  const first = last ? await wire.until(last) : await wire.closed();
  const tookMs = performance.now() - started;
  if (last) wire.send(get('/after', { Connection: 'close' }));
  const all = await wire.closed();
  clearTimeout(timer);
  const [instance] = instancesIn(first);
  return {
    answer: withAnyInstance(undated(first)),
    instance,
    next: all.slice(first.length),
    ending: wire.ending,
    tookMs,
  };
}

interface Conversation {
  /** With `ANY_INSTANCE` in place of the id of the denial. */
  readonly answer: string;
  readonly instance: string | undefined;
  readonly next: string;
  readonly ending: string | undefined;
  readonly tookMs: number;
}

function successFirst(resolve: (value: unknown) => void, reject: (error: Error) => void): void {
  resolve(undefined);
  reject(new Error('late'));
}

function undated(text: string): string {
  return text.replace(/^Date: .*$/gm, 'Date: -');
}

/** Every byte of the denial: headers set before the middleware with the values that they had then, and nothing else. */
function denial(
  { status, statusText, headers }: Form,
  code: string,
  detail: string,
  { method, streams }: Pick<Way, 'method' | 'streams'>,
): string {
  const body = `{"type":"about:blank","title":"${statusText}","status":${status},"detail":"${detail}","instance":"${ANY_INSTANCE}","code":"${code}"}`;
  return [
    `HTTP/1.1 ${status} ${statusText}`,
    'X-Powered-By: Express',
    'X-Frame-Options: DENY',
    'Vary: Origin',
    'Vary: Accept',
    'Set-Cookie: before=1',
    'Cache-Control: no-store',
    ...headers,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Date: -',
    ...(streams ? ['Connection: close'] : ['Connection: keep-alive', 'Keep-Alive: timeout=5']),
    '',
    method === 'HEAD' ? '' : body,
  ].join('\r\n');
}

/** Where the denial of a way ends; `undefined` if the connection ends with it. */
function lastOfDenial({ method, streams }: Way): RegExp | undefined {
  if (streams) return undefined;
  return method === 'HEAD' ? /\r\n\r\n$/ : /"\}$/;
}

/** The id in the body of a denial. HEAD has no body, so the id of the alarm is used there. */
function shownOrAny({ alarms }: Fixture, { instance }: Conversation, { method }: Way): string | undefined {
  if (method !== 'HEAD') return instance ?? expect.fail('the denial has no instance');
  const [alarmed] = instancesIn(JSON.stringify(alarms));
  return alarmed ?? expect.fail('the alarm has no instance');
}

/** @param instance the id in the denial; `undefined` if there must be none in the alarm either */
function assertAlarm(
  alarms: readonly Alarm[],
  { error, code }: Failure,
  instance: string | undefined,
  expected: object,
): void {
  expect(alarms).to.have.length(1);
  const [{ error: actualError, instance: actualInstance, ...rest } = { error: '', instance: '' }] =
    alarms as readonly SessionStoreFailure[];
  expect(actualError).to.match(error);
  expect(actualInstance).to.equal(instance);
  expect(rest).to.deep.equal({ alarm: 'session_store_failure', ...expected, ...(code === undefined ? {} : { code }) });
}

function assertDeadline({ hangs }: Failure, { tookMs }: Conversation): void {
  if (hangs) expect(tookMs).to.be.at.least(STORE_TIMEOUT_MS - 1);
}

function assertNextAnswer({ next }: Conversation): void {
  expect(next).to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nthe next answer$/);
}

after(() => rmSync(directory, { recursive: true }));

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`Failing store × way of answering, ${version}`, () => {
    const fixtures: Fixture[] = [];
    let plain: Fixture;

    async function open(store: SessionStore | undefined, unavailable?: DenialTemplate): Promise<Fixture> {
      const fixture = await start(express, store, unavailable);
      fixtures.push(fixture);
      return fixture;
    }

    before(async () => {
      plain = await open(undefined);
    });
    after(() => Promise.all(fixtures.map(({ server }) => server.close())));

    /** One server for all rows of a store. */
    function oneServer(makeStore: () => SessionStore, unavailable?: DenialTemplate): () => Promise<Fixture> {
      let opened: Promise<Fixture> | undefined;
      return async () => {
        opened ??= open(makeStore(), unavailable);
        const fixture = await opened;
        fixture.alarms.length = 0;
        fixture.handled = 0;
        fixture.arrived = deferred();
        return fixture;
      };
    }

    for (const form of FORMS) {
      for (const failing of LOAD_FAILURES.filter(form.isTestedWith)) {
        describe(`load: ${failing.name}, ${form.title}`, () => {
          const row = oneServer(() => new ScriptedStore({ load: failing.behaviour }), form.unavailable);
          for (const way of [...WAYS, ...DENIALS]) {
            it(`G2, P54: ${way.name} becomes ${form.status} session.load_failed before any handler`, async () => {
              const fixture = await row();
              const unread: Way = { ...way, streams: false };
              const conversation = await converse(fixture, way, lastOfDenial(unread));
              expect(conversation.answer).to.equal(
                denial(form, 'session.load_failed', 'session state could not be loaded', unread),
              );
              expect(fixture.handled).to.equal(0);
              assertAlarm(fixture.alarms, failing, shownOrAny(fixture, conversation, way), {
                op: 'load',
                route: `${way.method ?? 'GET'} *`,
              });
              assertDeadline(failing, conversation);
              assertNextAnswer(conversation);
            });
          }
        });
      }

      for (const failing of APPEND_FAILURES.filter(form.isTestedWith)) {
        describe(`append: ${failing.name}, ${form.title}`, () => {
          const store = new ScriptedStore({ append: failing.behaviour });
          const row = oneServer(() => store, form.unavailable);
          beforeEach(() => {
            store.appends.length = 0;
          });

          for (const way of WAYS) {
            it(`G2, P32, P33: ${way.name} becomes ${form.status} session.persist_failed`, async () => {
              const fixture = await row();
              // whether a stream has ended when the append fails, so that the connection could go on, is a matter of luck
              const headers = { ...way.headers, ...(way.streams && { Connection: 'close' }) };
              const conversation = await converse(fixture, { ...way, headers }, lastOfDenial(way));
              expect(conversation.answer).to.equal(
                denial(form, 'session.persist_failed', 'session state could not be persisted', way),
              );
              expect(conversation.ending).to.equal('end');
              expect(fixture.handled).to.equal(1);
              assertAlarm(fixture.alarms, failing, shownOrAny(fixture, conversation, way), {
                op: 'append',
                route: `${way.method ?? 'GET'} /${way.name}`,
                decisionWasAllow: true,
                bytesSent: false,
              });
              expect(store.appends).to.deep.equal([[LABEL]]);
              assertDeadline(failing, conversation);
              if (!way.streams) assertNextAnswer(conversation);
            });
          }

          for (const way of DENIALS) {
            it(`G3: ${way.name} keeps every byte, and the failure is an alarm`, async () => {
              const fixture = await row();
              const conversation = await converse(fixture, way, way.last);
              expect(conversation.answer).to.equal((await converse(plain, way, way.last)).answer);
              expect(conversation.answer).to.match(/^HTTP\/1\.1 40[13] /);
              assertAlarm(fixture.alarms, failing, undefined, {
                op: 'append',
                route: `${way.method ?? 'GET'} /${way.name}`,
                decisionWasAllow: false,
                bytesSent: false,
              });
              expect(store.appends).to.deep.equal([[LABEL]]);
              assertDeadline(failing, conversation);
              assertNextAnswer(conversation);
            });
          }

          it('G2, P44: a label after the first bytes: truncated, with no clean end', async () => {
            const fixture = await row();
            const wire = new Wire(fixture.server.port);
            wire.send(get('/label-after-bytes', { 'X-Session': newSession() }));
            const text = await wire.closed();
            expect(text).to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n$/);
            assertAlarm(fixture.alarms, failing, undefined, {
              op: 'append',
              route: 'GET /label-after-bytes',
              decisionWasAllow: true,
              bytesSent: true,
            });
          });

          it('G2: a handler that never ends: a whole denial, then the connection ends', async () => {
            const fixture = await row();
            const way: Way = { name: 'write-and-stall', last: /stolen/, streams: true, answer: () => {} };
            const conversation = await converse(fixture, way, undefined);
            expect(conversation.answer).to.equal(
              denial(form, 'session.persist_failed', 'session state could not be persisted', way),
            );
            expect(conversation.tookMs).to.be.below(GIVE_UP_MS);
          });

          it('G2: an HTTP/1.0 response, which is close-delimited, is reset', async () => {
            const fixture = await row();
            const wire = new Wire(fixture.server.port);
            wire.send(get('/label-after-arrival', { 'X-Session': newSession() }).replace('HTTP/1.1', 'HTTP/1.0'));
            // a reset that comes together with bytes looks to libuv like a clean end, whatever the server does
            await wire.until(/first$/);
            fixture.arrived.resolve();
            const text = await wire.closed();
            expect(text).to.match(/\r\n\r\nfirst$/);
            expect(wire.ending).to.equal('ECONNRESET');
            expect(fixture.alarms).to.have.length(1);
          });
        });
      }
    }

    for (const [name, makeStore] of [
      ['slow', () => new SlowStore(5)],
      ['settling twice, first with success', () => new ScriptedStore({ append: () => settlingTwice(successFirst) })],
    ] as const) {
      describe(`control, a store that works: ${name}`, () => {
        const row = oneServer(makeStore);
        for (const way of [...WAYS, ...DENIALS]) {
          it(`G8: ${way.name} is answered as plain Express does`, async () => {
            const fixture = await row();
            const conversation = await converse(fixture, way, way.last);
            const expected = await converse(plain, way, way.last);
            expect(conversation.answer).to.equal(expected.answer);
            assertNextAnswer(conversation);
            expect(fixture.alarms).to.deep.equal([]);
          });
        }
      });
    }
  });
}
