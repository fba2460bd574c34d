import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { Express, RequestHandler } from 'express';
import request from 'supertest';
import {
  type Alarm,
  type AplSessionOptions,
  aplSessionMiddleware,
  type DenialOption,
  type DenialRenderer,
  denyIf,
  jsonRpcDenial,
  PolicyViolation,
  policyViolationHandler,
  requireSession,
  taint,
  type Violation,
} from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { ANY_INSTANCE, anyInstanceIn, instancesIn } from '../support/denial-instance.js';
import { eventually, thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { exchange, get, type RunningServer, serve, Wire } from '../support/raw-http.js';

const VIOLATION: Violation = { code: 'session_tainted', reason: 'session touched <secret> data' };
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const failing = async (): Promise<never> => {
  throw new Error('no store');
};

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`denials, ${version}`, () => {
    const alarms: Alarm[] = [];
    const cleanUp: Array<() => unknown> = [];

    beforeEach(() => {
      alarms.length = 0;
    });
    afterEach(async () => {
      for (const clean of cleanUp.splice(0)) await clean();
    });

    const handler: RequestHandler = (_req, res) => {
      res.cookie('stolen', '1').set('X-Stolen', '1').status(201).send('handled');
    };

    function appOf(options: Partial<AplSessionOptions>, ...handlers: RequestHandler[]): Express {
      const middleware = aplSessionMiddleware({
        session: (req) => (req.path === '/probe' ? undefined : 'session-of-alice'),
        store: new ScriptedStore(),
        logger: { warn() {}, error() {} },
        onAlarm: (alarm) => alarms.push(alarm),
        ...options,
      });
      return express()
        .set('env', 'test')
        .use((_req, res, next) => {
          res.set({ 'X-Before': 'kept', 'Cache-Control': 'public' });
          next();
        })
        .use(express.json(), middleware)
        .use(...handlers);
    }

    const probed: RequestHandler = (req, res, next) => (req.path === '/probe' ? res.end('probed') : next());

    /** A whole exchange on another connection: what was sent to others before has arrived when it is over. */
    async function probe({ port }: RunningServer): Promise<void> {
      expect((await exchange(port, get('/probe', { Connection: 'close' }))).text).to.match(/probed$/);
    }

    const deny: RequestHandler = (req) => req.security.deny(VIOLATION);

    /** An app for each of the four places where a violation comes from. */
    const sources: ReadonlyArray<readonly [what: string, code: string, app: (denial: DenialOption) => Express]> = [
      ['deny()', VIOLATION.code, (denial) => appOf({ denial }, deny)],
      [
        'a failed load',
        'session.load_failed',
        (denial) => appOf({ denial, store: new ScriptedStore({ load: failing }) }, handler),
      ],
      [
        'a failed persist',
        'session.persist_failed',
        (denial) =>
          appOf({ denial, store: new ScriptedStore({ append: failing }) }, (req, res, next) => {
            req.security.labels.add('secret');
            handler(req, res, next);
          }),
      ],
      [
        'a guard with a denial of its own',
        'session.required',
        (denial) => appOf({ denial: { status: 418 }, session: () => undefined }, requireSession({ denial }), handler),
      ],
    ];

    for (const [what, code, app] of sources) {
      it(`G2: ${what}: a template sets status, headers and the whole body`, async () => {
        const { status, headers, body } = await request(
          app({ status: 451, headers: { 'X-Denied': 'yes', 'Cache-Control': 'private' }, body: { denied: [true] } }),
        ).get('/');
        expect(status).to.equal(451);
        expect(body).to.deep.equal({ denied: [true] });
        expect(headers).to.include({
          'content-type': 'application/json; charset=utf-8',
          'x-before': 'kept',
          'x-denied': 'yes',
          'cache-control': 'private',
        });
        expect(headers).not.to.have.any.keys('set-cookie', 'x-stolen');
      });

      it(`${what}: a template without a body sends problem details`, async () => {
        const { headers, body } = await request(app({ status: 404 })).get('/');
        expect(body).to.include({ status: 404, title: 'Not Found', code });
        expect(headers).to.include({ 'cache-control': 'no-store', 'x-before': 'kept' });
      });

      it(`${what}: a renderer gets the violation and may answer later`, async () => {
        const render: DenialRenderer = async (violation, req, res) => {
          await turn();
          res.locals['seen'] = true;
          res.status(409).json({ refused: violation.code, path: req.path });
        };
        const { status, headers, body } = await request(app(render)).get('/tool');
        expect({ status, body }).to.deep.equal({ status: 409, body: { refused: code, path: '/tool' } });
        expect(headers).to.include({ 'x-before': 'kept', 'cache-control': 'no-store' });
        expect(headers).not.to.have.any.keys('set-cookie', 'x-stolen');
        expect(alarms.filter(({ alarm }) => alarm === 'denial_not_rendered')).to.be.empty;
      });

      const broken: ReadonlyArray<readonly [string, DenialRenderer]> = [
        [
          'throws half-way',
          (_violation, _req, res) => {
            res.status(200).set('X-Half', '1').write('half');
            throw new Error('broken');
          },
        ],
        ['rejects', () => Promise.reject(new Error('broken'))],
      ];
      for (const [how, render] of broken) {
        it(`G2: ${what}: a renderer that ${how} ends in a 403 and an alarm`, async () => {
          const { status, headers, body } = await request(app(render)).get('/');
          expect(status).to.equal(403);
          expect(body).to.include({ status: 403, code });
          expect(headers).to.include({ 'cache-control': 'no-store', 'x-before': 'kept' });
          expect(headers).not.to.have.any.keys('set-cookie', 'x-stolen', 'x-half');
          const [alarm, ...others] = alarms.filter(({ alarm }) => alarm === 'denial_not_rendered');
          expect(alarm).to.include({ error: 'broken' });
          expect(others).to.be.empty;
        });
      }
    }

    it('G2: a renderer that never answers ends in a plain 403 after a second', async () => {
      const rendering = deferred<void>();
      const server = await listen(appOf({ denial: () => rendering.resolve() }, probed, deny));
      const wire = connect(server);
      await rendering.promise;
      const startedMs = performance.now();
      await probe(server);
      expect(wire.received).to.equal('');
      expect(await wire.closed()).to.match(/^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*"code":"session_tainted"\}$/);
      expect(performance.now() - startedMs).to.be.at.least(999);
      expect(alarms).to.have.length(1);
      expect(alarms[0]).to.include({ alarm: 'denial_not_rendered', route: 'GET *' });
    });

    it('G1: no byte leaves while a renderer works and labels are pending', async () => {
      const append = deferred<void>();
      const rendering = deferred<() => void>();
      const store = new ScriptedStore({ append: () => append.promise });
      const denial: DenialRenderer = (_violation, _req, res) => rendering.resolve(() => res.send('refused'));
      const server = await listen(
        appOf({ denial, store, storeTimeoutMs: 60_000 }, probed, (req) => {
          req.security.labels.add('secret');
          req.security.deny(VIOLATION);
        }),
      );
      const wire = connect(server);
      await eventually(() => store.appends.length > 0);
      await probe(server);
      expect(wire.received).to.equal('');
      append.resolve();
      const answer = await rendering.promise;
      await probe(server);
      expect(wire.received).to.equal('');
      answer();
      expect(await wire.closed()).to.match(/^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*\r\n\r\nrefused$/);
    });

    it('G1: a label that is added while a renderer works holds its denial too', async () => {
      const append = deferred<void>();
      const rendering = deferred<() => void>();
      const store = new ScriptedStore({ append: () => append.promise });
      const denial: DenialRenderer = (_violation, req, res) =>
        rendering.resolve(() => {
          req.security.labels.add('secret');
          res.send('refused');
        });
      const server = await listen(appOf({ denial, store, storeTimeoutMs: 60_000 }, probed, deny));
      const wire = connect(server);
      (await rendering.promise)();
      await eventually(() => store.appends.length > 0);
      await probe(server);
      expect(wire.received).to.equal('');
      append.resolve();
      expect(await wire.closed()).to.match(/refused$/);
    });

    it('G2: a pipelined response is replaced though written before its turn', async () => {
      const rendering = deferred<() => void>();
      const denial: DenialRenderer = (_violation, _req, res) => rendering.resolve(() => res.send('refused'));
      const first = deferred<() => void>();
      const server = await listen(
        appOf({ denial }, probed, (req, res) => {
          if (req.path === '/first') return first.resolve(() => res.end('first'));
          res.writeHead(200).write('written');
          req.security.deny(VIOLATION);
        }),
      );
      const wire = connect(server, get('/first') + get('/second', { Connection: 'close' }));
      const answerSecond = await rendering.promise;
      (await first.promise)();
      await wire.until(/first$/);
      await probe(server);
      expect(wire.received).to.match(/first$/);
      answerSecond();
      expect(await wire.closed()).to.match(/firstHTTP\/1\.1 403 Forbidden\r\n[\s\S]*\r\n\r\nrefused$/);
    });

    it('a renderer may send a file that is larger than any buffer', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'apl-denial-'));
      cleanUp.push(() => rmSync(folder, { recursive: true }));
      const file = join(folder, 'denied.txt');
      const text = 'denied '.repeat(100_000);
      writeFileSync(file, text);
      const app = appOf({ denial: (_violation, _req, res) => res.status(403).sendFile(file) }, deny);
      const answer = await request(app).get('/');
      expect(answer.status).to.equal(403);
      expect(answer.text === text).to.equal(true);
    });

    it('a renderer may redirect', async () => {
      const app = appOf({ denial: (_violation, _req, res) => res.redirect('/login') }, deny);
      const { status, headers } = await request(app).get('/');
      expect({ status, location: headers['location'] }).to.deep.equal({ status: 302, location: '/login' });
    });

    it('a rendered denial leaves the connection to the next request', async () => {
      const denial: DenialRenderer = async (_violation, _req, res) => res.send('refused');
      const middleware = [denyIf((req) => req.path === '/denied', VIOLATION, { denial }), handler];
      const server = await listen(appOf({}, ...middleware));
      const wire = connect(server, get('/denied') + get('/other', { Connection: 'close' }));
      expect(await wire.closed()).to.match(/403 Forbidden[\s\S]*refusedHTTP\/1\.1 201 Created/);
    });

    it('HEAD has the head of a rendered denial', async () => {
      const { status, headers, text } = await request(appOf({ denial: { body: 'refused' } }, deny)).head('/');
      expect({ status, text }).to.deep.equal({ status: 403, text: undefined });
      expect(headers).to.include({ 'content-type': 'text/plain; charset=utf-8' });
    });

    it('G1: the denial of a taint guard whose append fails is the guard’s', async () => {
      const store = new ScriptedStore({ append: failing });
      const app = appOf({ store }, taint('secret', { denial: { body: 'no store' } }), handler);
      expect((await request(app).get('/')).text).to.equal('no store');
    });

    it('G3: the first denial stays, with its renderer', async () => {
      const app = appOf({}, (req, res, next) => {
        denyIf(() => true, VIOLATION, { denial: { body: 'first' } })(req, res, () => {});
        denyIf(() => true, VIOLATION, { denial: { body: 'second' } })(req, res, () => {});
        next();
      });
      expect((await request(app).get('/')).text).to.equal('first');
    });

    it('policyViolationHandler() takes a denial', async () => {
      const app = appOf({}, () => {
        throw new PolicyViolation(VIOLATION);
      }).use(policyViolationHandler({ denial: { status: 422, body: 'thrown' } }));
      const { status, text } = await request(app).get('/');
      expect({ status, text }).to.deep.equal({ status: 422, text: 'thrown' });
    });

    const accepts: ReadonlyArray<readonly [accept: string, type: string]> = [
      [BROWSER, 'text/html'],
      ['text/html', 'text/html'],
      ['*/*', 'application/problem+json'],
      ['application/json', 'application/problem+json'],
      ['application/json, text/html;q=0.5', 'application/problem+json'],
      ['text/html;q=0', 'application/problem+json'],
      ['image/png', 'application/problem+json'],
    ];
    for (const [accept, type] of accepts) {
      it(`a client that accepts ${accept} gets ${type}`, async () => {
        const { status, headers } = await request(appOf({}, deny)).get('/').set('Accept', accept);
        expect(status).to.equal(403);
        expect(headers['content-type']).to.equal(`${type}; charset=utf-8`);
      });
    }

    it('the page for browsers runs nothing, and shows the violation as text', async () => {
      const { headers, text } = await request(appOf({}, deny)).get('/').set('Accept', BROWSER);
      expect(headers).to.include({
        'content-security-policy': "default-src 'none'",
        'x-content-type-options': 'nosniff',
      });
      expect(text).to.include('<p>session touched &lt;secret&gt; data</p>').and.to.include('session_tainted');
      expect(instancesIn(text)).to.have.length(1);
    });

    const bodies: ReadonlyArray<readonly [body: object, id: unknown]> = [
      [{ jsonrpc: '2.0', id: 7, method: 'tools/call' }, 7],
      [{ jsonrpc: '2.0', id: 'seven', method: 'tools/call' }, 'seven'],
      [{ jsonrpc: '2.0', id: { not: 'an id' }, method: 'tools/call' }, null],
      [[{ jsonrpc: '2.0', id: 7, method: 'tools/call' }], null],
    ];
    for (const [sent, id] of bodies) {
      it(`jsonRpcDenial: the error of ${JSON.stringify(sent)} has the id ${JSON.stringify(id)}`, async () => {
        const { status, body } = await request(appOf({ denial: jsonRpcDenial() }, deny))
          .post('/')
          .send(sent);
        expect(status).to.equal(403);
        expect(anyInstanceIn(body)).to.deep.equal({
          jsonrpc: '2.0',
          id,
          error: { code: -32003, message: VIOLATION.reason, data: { code: VIOLATION.code, instance: ANY_INSTANCE } },
        });
      });
    }

    it('jsonRpcDenial: status and error code can be chosen', async () => {
      const denial = jsonRpcDenial({ status: 200, errorCode: -32001 });
      const { status, body } = await request(appOf({ denial }, deny)).get('/');
      expect({ status, code: body.error.code }).to.deep.equal({ status: 200, code: -32001 });
    });

    async function listen(app: Express): Promise<RunningServer> {
      const server = await serve(app);
      cleanUp.push(() => server.close());
      return server;
    }

    function connect({ port }: RunningServer, text: string = get('/', { Connection: 'close' })): Wire {
      const wire = new Wire(port);
      cleanUp.unshift(() => wire.destroy());
      wire.send(text);
      return wire;
    }
  });
}

describe('denial, construction', () => {
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  const faults: ReadonlyArray<readonly [what: string, denial: unknown, message: RegExp]> = [
    [
      'a number',
      403,
      /'denial' must be \{ status, headers, body \}, or a function of \(denial, req, res\); got a number/,
    ],
    ['a status that allows', { status: 200 }, /'status' must be at least 400/],
    ['a status beyond 599', { status: 600 }, /'status' must be at most 599/],
    ['an unknown key', { statusCode: 403 }, /unknown option 'statusCode'; did you mean 'status'\?/],
    ['a header that would be two', { headers: { 'X-A': 'a\r\nX-B: b' } }, /a character that no header value may have/],
    ['an invalid header name', { headers: { 'X A': 'a' } }, /that is no header name/],
    [
      'a length that may be wrong',
      { headers: { 'Content-Length': '5' } },
      /must not have Content-Length, Transfer-Encoding or Trailer/,
    ],
    [
      'an encoding that HTTP frames by',
      { headers: { 'transfer-encoding': 'gzip' } },
      /must not have Content-Length, Transfer-Encoding or Trailer/,
    ],
    ['a header that is no string', { headers: { 'X-A': 1 } }, /'headers.X-A' must be a string/],
    ['a body that is a number', { body: 1 }, /'body' must be a string, an object or an array/],
    ['a body that JSON cannot hold', { body: circular }, /JSON can hold/],
  ];
  for (const [what, denial, message] of faults) {
    it(`${what} is config.invalid, for the middleware and for a guard`, () => {
      for (const construct of [
        () => aplSessionMiddleware({ session: () => 's', denial: denial as DenialOption }),
        () => requireSession({ denial: denial as DenialOption }),
      ]) {
        const error = thrownBy(construct) as Error & { code: string };
        expect(error).to.include({ code: 'config.invalid' });
        expect(error.message).to.match(message);
      }
    });
  }

  it('policyViolationHandler: a name is config.invalid, as it has no use', () => {
    expect(thrownBy(() => policyViolationHandler({ name: 'mine' } as never))).to.include({ code: 'config.invalid' });
  });

  for (const status of [204, 205, 304]) {
    it(`jsonRpcDenial: the status ${status} has no body and is config.invalid`, () => {
      expect(thrownBy(() => jsonRpcDenial({ status }))).to.include({ code: 'config.invalid' });
    });
  }

  it('jsonRpcDenial: an unknown option is config.invalid', () => {
    expect(thrownBy(() => jsonRpcDenial({ code: 1 } as never))).to.include({ code: 'config.invalid' });
  });

  it('a template is copied, so later changes have no effect', async () => {
    const headers: Record<string, string> = { 'X-A': 'a' };
    const denial = { status: 403, headers, body: 'refused' };
    const guard = requireSession({ denial });
    headers['X-A'] = 'b';
    denial.body = 'changed';
    const [[, express]] = EXPRESS_VERSIONS as unknown as [[string, (typeof EXPRESS_VERSIONS)[number][1]]];
    const app = express().use(aplSessionMiddleware({ session: () => undefined }), guard);
    const answer = await request(app).get('/');
    expect({ a: answer.headers['x-a'], text: answer.text }).to.deep.equal({ a: 'a', text: 'refused' });
  });
});
