import { mkdtempSync, readFile, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { type Alarm, aplSessionMiddleware, type RequestSecurity } from '../../lib/index.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS, type ExpressModule } from '../support/express-versions.js';
import { HeldStore } from '../support/held-store.js';
import { exchange, get, type RunningServer, serve, Wire } from '../support/raw-http.js';

const SESSION = 'session-of-alice';
const LABEL = 'secret-label';

/** Something that Express or Node answers by itself. */
interface Answer {
  readonly name: string;
  readonly answer?: RequestHandler;
  /** Default: the name. */
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Not in Express 4. */
  readonly since5?: true;
  /** A part of what must arrive, so that two servers that both fail do not count as equal. */
  readonly wire: RegExp;
}

const directory = mkdtempSync(join(tmpdir(), 'apl-answers-'));
const file = join(directory, 'file.txt');
writeFileSync(file, '0123456789'.repeat(20));
writeFileSync(join(directory, 'page.tiny'), '<h1>name</h1>');

after(() => rmSync(directory, { recursive: true }));

function thrown(): Error {
  return new Error('thrown by the handler');
}

function mebibyte(): Readable {
  return Readable.from(Array(16).fill(Buffer.alloc(64 * 1024, 'm')));
}

const ANSWERS: readonly Answer[] = [
  { name: 'send a string', answer: (_req, res) => void res.send('<p>text</p>'), wire: /ETag: .*<p>text<\/p>$/s },
  { name: 'send a Buffer', answer: (_req, res) => void res.send(Buffer.from([32, 255, 10])), wire: /\r\n \xff\n$/ },
  { name: 'send an object', answer: (_req, res) => void res.send({ a: [1] }), wire: /\{"a":\[1\]\}$/ },
  { name: 'send nothing', answer: (_req, res) => void res.send(), wire: /Content-Length: 0/ },
  { name: 'json', answer: (_req, res) => void res.status(201).json({ b: 'ä' }), wire: /^HTTP\/1.1 201 .*\{"b":"/s },
  {
    name: 'jsonp',
    path: 'jsonp?callback=cb',
    answer: (_req, res) => void res.jsonp({ c: 1 }),
    wire: /cb\(\{"c":1\}\)/,
  },
  {
    name: 'redirect',
    answer: (_req, res) => void res.cookie('id', '1').redirect(303, '/there'),
    wire: /^HTTP\/1.1 303 .*Set-Cookie: id=1.*Location: \/there/s,
  },
  { name: 'render', answer: (_req, res) => res.render('page.tiny', { name: 'Ada' }), wire: /<h1>Ada<\/h1>$/ },
  { name: 'sendFile (P34)', answer: (_req, res) => res.sendFile(file), wire: /Last-Modified: .*(0123456789){20}$/s },
  {
    name: 'range (P34)',
    answer: (_req, res) => res.sendFile(file),
    headers: { Range: 'bytes=2-5' },
    wire: /^HTTP\/1.1 206 .*Content-Range: bytes 2-5\/200.*\r\n2345$/s,
  },
  {
    name: 'range that cannot be satisfied',
    answer: (_req, res) => res.sendFile(file),
    headers: { Range: 'bytes=900-' },
    wire: /^HTTP\/1.1 416 /,
  },
  { name: 'download', answer: (_req, res) => res.download(file, 'name.txt'), wire: /filename="?name.txt/ },
  { name: 'sendFile that is not there', answer: (_req, res) => res.sendFile(`${file}.not`), wire: /^HTTP\/1.1 404 / },
  { name: 'static', path: 'static/file.txt', wire: /^HTTP\/1.1 200 .*(0123456789){20}$/s },
  {
    name: 'static, fresh',
    path: 'static/file.txt',
    headers: { 'If-Modified-Since': 'Fri, 01 Jan 2100 00:00:00 GMT' },
    wire: /^HTTP\/1.1 304 /,
  },
  { name: 'sendStatus', answer: (_req, res) => void res.sendStatus(202), wire: /\r\n\r\nAccepted$/ },
  { name: 'status and end', answer: (_req, res) => void res.status(204).end(), wire: /^HTTP\/1.1 204 / },
  {
    name: 'format',
    headers: { Accept: 'text/plain' },
    answer: (_req, res) => void res.format({ json: () => res.json({}), text: () => res.send('as text') }),
    wire: /Vary: Accept.*as text$/s,
  },
  {
    name: 'format without a match',
    headers: { Accept: 'image/png' },
    answer: (_req, res) => void res.format({ json: () => res.json({}) }),
    wire: /^HTTP\/1.1 406 /,
  },
  {
    name: 'HEAD',
    method: 'HEAD',
    answer: (_req, res) => void res.send('unseen'),
    wire: /Content-Length: 6.*\r\n\r\n$/s,
  },
  { name: 'HEAD of a file', method: 'HEAD', path: 'static/file.txt', wire: /Content-Length: 200.*\r\n\r\n$/s },
  { name: 'OPTIONS', method: 'OPTIONS', answer: () => {}, wire: /^HTTP\/1.1 200 .*Allow: GET/s },
  {
    name: 'fresh',
    headers: { 'If-None-Match': '"v1"' },
    answer: (_req, res) => void res.set('ETag', '"v1"').send('unchanged'),
    wire: /^HTTP\/1.1 304 .*\r\n\r\n$/s,
  },
  {
    name: 'write and end',
    answer(_req, res) {
      res.write('one');
      res.write(Buffer.from('two'));
      res.end('three');
    },
    // some versions of Node send the writes of one turn as one chunk
    wire: /(b\r\nonetwothree|3\r\none\r\n3\r\ntwo\r\n5\r\nthree)\r\n0\r\n\r\n$/,
  },
  {
    name: 'writes over several ticks',
    async answer(_req, res) {
      for (const chunk of ['one', 'two', 'three']) {
        res.write(chunk);
        await new Promise((resolve) => setImmediate(resolve));
      }
      res.end();
    },
    wire: /3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n$/,
  },
  {
    name: 'pipe',
    answer: (_req, res) => void Readable.from(['one', 'two']).pipe(res),
    wire: /(6\r\nonetwo|3\r\none\r\n3\r\ntwo)\r\n0\r\n\r\n$/,
  },
  {
    name: 'pipe of a mebibyte (P37)',
    answer: (_req, res) => void pipeline(mebibyte(), res).catch(() => {}),
    wire: /m{1000}\r\n0\r\n\r\n$/,
  },
  {
    name: 'writeHead and end (P19)',
    answer: (_req, res) => void res.writeHead(299, 'Fine', { 'X-Two': ['a', 'b'] }).end('done'),
    wire: /^HTTP\/1.1 299 Fine\r\n.*X-Two: a\r\nX-Two: b\r\n.*done/s,
  },
  {
    name: 'flushHeaders (P3)',
    answer(_req, res) {
      res.type('text/event-stream').flushHeaders();
      res.end('data: 1\n\n');
    },
    wire: /text\/event-stream.*data: 1\n\n\r\n0\r\n\r\n$/s,
  },
  {
    name: 'interim responses (P4)',
    answer(_req, res) {
      res.writeContinue();
      res.writeEarlyHints({ link: '</a.css>; rel=preload' });
      res.writeProcessing();
      res.send('final');
    },
    wire: /^HTTP\/1.1 100 .*HTTP\/1.1 103 .*HTTP\/1.1 102 .*HTTP\/1.1 200 .*final$/s,
  },
  {
    name: 'trailers (P35)',
    answer(_req, res) {
      res.set('Trailer', 'X-Sum').write('body');
      res.addTrailers({ 'X-Sum': '1' });
      res.end();
    },
    wire: /0\r\nX-Sum: 1\r\n\r\n$/,
  },
  {
    name: 'a thrown error (P59)',
    answer() {
      throw thrown();
    },
    wire: /^HTTP\/1.1 500 .*thrown by the handler/s,
  },
  {
    name: 'a thrown error with a status',
    answer() {
      throw Object.assign(thrown(), { status: 418, headers: { 'X-Pot': 'tea' } });
    },
    wire: /^HTTP\/1.1 418 .*X-Pot: tea/s,
  },
  { name: 'next(err)', answer: (_req, _res, next) => next(thrown()), wire: /^HTTP\/1.1 500 / },
  {
    name: 'a rejection of the handler',
    since5: true,
    answer: async () => {
      throw thrown();
    },
    wire: /^HTTP\/1.1 500 .*thrown by the handler/s,
  },
  { name: 'no route', path: 'nowhere', wire: /^HTTP\/1.1 404 .*Cannot GET \/nowhere/s },
  { name: 'a path that does not decode', path: 'param/%ff', wire: /^HTTP\/1.1 400 / },
  {
    name: 'a body that was read after the wait',
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Content-Length': '9' },
    body: '{"x":"y"}',
    answer: (req, res) => void res.send({ got: req.body }),
    wire: /\{"got":\{"x":"y"\}\}$/,
  },
];

function pathOf({ name, path }: Answer): string {
  return `/${path ?? name.replace(/\W+/g, '-')}`;
}

function requestFor(answer: Answer, label: boolean): string {
  const { method = 'GET', headers, body = '' } = answer;
  const all = { Connection: 'close', 'X-Session': SESSION, ...(label && { 'X-Label': LABEL }), ...headers };
  return get(pathOf(answer), all).replace('GET', method) + body;
}

function createApp(express: ExpressModule, security: RequestHandler) {
  const app = express().set('env', 'test').set('views', directory);
  app.engine('tiny', (path, options, callback) => {
    readFile(path, 'utf8', (error, text) =>
      callback(error, text?.replace('name', String(Reflect.get(options, 'name')))),
    );
  });
  app.use(security);
  app.get('/probe', (_req, res) => void res.send('probed'));
  app.get('/wait', async (req, res) => {
    await (req.app.locals['turn'] as Promise<void>);
    res.send('waited');
  });
  app.get('/label-after-end', (req, res) => {
    res.end('queued');
    req.security.labels.add(LABEL);
    req.app.locals['queued']();
  });
  const addLabel: RequestHandler = (req, _res, next) => {
    const label = req.get('x-label');
    if (label) req.security.labels.add(label);
    next();
  };
  app.use(addLabel, express.json());
  app.use('/static', express.static(directory));
  app.get('/param/:name', (_req, res) => void res.send('decoded'));
  for (const answer of ANSWERS) {
    const path = pathOf(answer).replace(/\?.*/, '');
    if (answer.answer) app[answer.method === 'POST' ? 'post' : 'get'](path, answer.answer);
  }
  // error pages of Express have a stack with its callers
  const withoutStack: ErrorRequestHandler = (error, _req, _res, next) => {
    error.stack = `Error: ${error.message}`;
    next(error);
  };
  return app.use(withoutStack);
}

const unsecured: RequestHandler = (req, _res, next) => {
  req.security = { labels: new Set<string>() } as unknown as RequestSecurity;
  next();
};

function undated(text: string): string {
  return text.replace(/^Date: .*$/gm, 'Date: -');
}

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`What Express answers, ${version}`, () => {
    let servers: RunningServer[];
    let store: HeldStore;
    let alarms: Alarm[];
    let plain: RunningServer;
    let secured: RunningServer;
    /** The server has learnt that its client went away. */
    let gone: Deferred<void>;
    let closed: Deferred<Response>;
    let locals: object;

    async function open(security: RequestHandler): Promise<RunningServer> {
      const server = await serve(createApp(express, security));
      servers.push(server);
      return server;
    }

    beforeEach(async () => {
      servers = [];
      alarms = [];
      store = new HeldStore();
      gone = deferred();
      closed = deferred();
      locals = {};
      const middleware = aplSessionMiddleware({
        session: (req) => req.get('x-session'),
        store,
        storeTimeoutMs: 60_000,
        logger: { warn() {}, error() {} },
        onAlarm: (alarm) => void alarms.push(alarm),
      });
      plain = await open(unsecured);
      secured = await open((req, res, next) => {
        if (req.path !== '/probe') {
          req.socket.once('end', () => gone.resolve());
          res.once('close', () => closed.resolve(res));
        }
        Object.assign(req.app.locals, locals);
        middleware(req, res, next);
      });
    });
    afterEach(async () => {
      store.release();
      await Promise.all(servers.map((server) => server.close()));
    });

    /** A round trip without a session: bytes that left before it have arrived. */
    async function roundTrip(): Promise<void> {
      expect((await exchange(secured.port, get('/probe', { Connection: 'close' }))).text).to.match(/probed$/);
    }

    for (const answer of ANSWERS) {
      if (answer.since5 && version !== 'Express 5') continue;

      it(`G1, G8: ${answer.name}: nothing before the append, then every byte`, async () => {
        const expected = await exchange(plain.port, requestFor(answer, true));
        expect(undated(expected.text)).to.match(answer.wire);
        const wire = new Wire(secured.port);
        wire.send(requestFor(answer, true));
        await store.called();
        await roundTrip();
        expect(wire.received).to.equal('');
        store.release();
        expect(undated(await wire.closed())).to.equal(undated(expected.text));
        expect(wire.ending).to.equal(expected.ending);
        expect(store.appends).to.deep.equal([[LABEL]]);
        expect(await store.loadLabels(SESSION)).to.deep.equal([LABEL]);
        expect(alarms).to.deep.equal([]);
      });

      it(`G8: ${answer.name}: without a label every byte as without, and no append`, async () => {
        const expected = await exchange(plain.port, requestFor(answer, false));
        const actual = await exchange(secured.port, requestFor(answer, false));
        expect(undated(actual.text)).to.match(answer.wire).and.to.equal(undated(expected.text));
        expect(actual.ending).to.equal(expected.ending);
        expect(store.loads).to.deep.equal([SESSION]);
        expect(store.appends).to.deep.equal([]);
      });
    }

    for (const name of ['send a string', 'pipe of a mebibyte (P37)', 'sendFile (P34)', 'a thrown error (P59)']) {
      it(`G7, P45: ${name}, to a client that leaves during the hold: persisted`, async () => {
        const answer = ANSWERS.find((one) => one.name === name) as Answer;
        const wire = new Wire(secured.port);
        wire.send(requestFor(answer, true));
        await store.called();
        wire.destroy();
        await gone.promise;
        store.release();
        const res = await closed.promise;
        expect(res.destroyed).to.equal(true);
        await roundTrip();
        expect(await store.loadLabels(SESSION)).to.deep.equal([LABEL]);
        expect(store.appends).to.deep.equal([[LABEL]]);
        expect(wire.received).to.equal('');
        expect(alarms).to.deep.equal([]);
      });
    }

    it('G1, P36: pipelined: the response behind a held one waits for its turn', async () => {
      const wire = new Wire(secured.port);
      const held = get('/send-a-string', { 'X-Session': SESSION, 'X-Label': LABEL });
      wire.send(held + get('/probe', { Connection: 'close' }));
      await store.called();
      await roundTrip();
      expect(wire.received).to.equal('');
      store.release();
      expect(await wire.closed()).to.match(/^HTTP\/1\.1 200 .*<p>text<\/p>HTTP\/1\.1 200 .*probed$/s);
    });

    it('G1, P36: pipelined: a response labelled while queued is held at its turn', async () => {
      const turn = deferred<void>();
      const queued = deferred<void>();
      locals = { turn: turn.promise, queued: queued.resolve };
      const wire = new Wire(secured.port);
      wire.send(get('/wait') + get('/label-after-end', { 'X-Session': SESSION, Connection: 'close' }));
      await queued.promise;
      turn.resolve();
      await store.called();
      await roundTrip();
      expect(wire.received).to.match(/waited$/);
      store.release();
      expect(await wire.closed()).to.match(/waitedHTTP\/1\.1 200 .*queued$/s);
    });

    it('P6: the only byte before the append is the 100 Continue of Node', async () => {
      const answer = ANSWERS.find((one) => one.method === 'POST') as Answer;
      const request = requestFor(answer, true).replace('\r\n', '\r\nExpect: 100-continue\r\n');
      const wire = new Wire(secured.port);
      wire.send(request);
      await store.called();
      await roundTrip();
      expect(wire.received).to.equal('HTTP/1.1 100 Continue\r\n\r\n');
      store.release();
      expect(await wire.closed()).to.match(answer.wire);
    });
  });
}
