import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import compression from 'compression';
import type { Express, Request, RequestHandler, Response } from 'express';
import expressSession from 'express-session';
import { aplSessionMiddleware, type SessionStore, taint } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { eventually, rejectionOf } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { sessionPerRequest } from '../support/gated-server.js';
import { KeptConnection } from '../support/kept-connection.js';
import { get, type RunningServer, serve, Wire } from '../support/raw-http.js';

const DENIED = { code: 'denied', reason: 'for the test' };
const SECRET = 'salary-4711';
const BIG = SECRET.repeat(200_000);
const folder = mkdtempSync(join(tmpdir(), 'apl-dropped-'));
const file = join(folder, 'salaries.txt');

/** What a handler, or a framework that cannot be stopped, does after the denial. Whatever it rejects with fails the test. */
const AFTERWARDS: Readonly<Record<string, (res: Response, req: Request) => unknown>> = {
  'nothing at all': () => {},
  'res.json()': (res) => res.json({ salary: SECRET }),
  'res.status().send()': (res) => res.status(200).send(SECRET),
  'res.redirect()': (res) => res.redirect('/other'),
  'res.cookie() and res.end()': (res) => res.cookie('salary', SECRET).end(),
  'res.sendFile() with a callback': (res) => new Promise((resolve) => res.sendFile(file, resolve)),
  'writeHead().end()': (res) => res.writeHead(200, { 'X-Salary': SECRET }).end(SECRET),
  'every setter of headers': (res) => {
    expect(res.setHeader('X-Salary', SECRET)).to.equal(res);
    expect(res.setHeaders(new Map([['x-salary', SECRET]]))).to.equal(res);
    expect(res.appendHeader('X-Salary', SECRET)).to.equal(res);
    expect(res.removeHeader('Content-Type')).to.equal(undefined);
    res.statusCode = 200;
    res.statusMessage = SECRET;
    expect([res.statusCode, res.statusMessage]).to.deep.equal([403, 'Forbidden']);
    expect(res.writeHead(200, SECRET)).to.equal(res);
    res.flushHeaders();
    res.writeContinue();
    res.writeProcessing();
    res.writeEarlyHints({ link: `</${SECRET}>; rel=preload` });
    res.addTrailers({ 'X-Salary': SECRET });
    res.cork();
  },
  'write() and end(), with callbacks': async (res) => {
    await new Promise((resolve) => expect(res.write(SECRET, resolve)).to.equal(true));
    await new Promise((resolve) => expect(res.write(SECRET, 'utf8', resolve)).to.equal(true));
    await new Promise((resolve) => expect(res.end(SECRET, () => resolve(undefined))).to.equal(res));
    await new Promise((resolve) => expect(res.end(SECRET, 'utf8', () => resolve(undefined))).to.equal(res));
    await new Promise((resolve) => expect(res.end(() => resolve(undefined))).to.equal(res));
    expect(res.write(SECRET)).to.equal(true);
  },
  'calls that Node itself refuses': (res) => {
    res.setHeader('no name', 'a\nb');
    res.writeHead(99);
    res.write(null);
    res.end(5);
  },
  'a pipe': async (res) => {
    const source = Readable.from([BIG, BIG]);
    source.pipe(res);
    await once(source, 'end');
  },
  'a pipeline': (res) => openPipeline(res, [SECRET, SECRET, SECRET]),
  'a pipeline that fails': async (res) => {
    const failing = openPipeline(res, [SECRET, new Error('source')]);
    if (canOpenPipeline(res)) expect(await rejectionOf(failing)).to.include({ message: 'source' });
    else await failing;
  },
  'a producer that waits for drain': async (res) => {
    for (let n = 0; n < 5; n++) if (!res.write(BIG)) await once(res, 'drain');
    res.end();
  },
  'res.destroy() with an error': (res) => res.destroy(new Error('of the framework')),
  'req.destroy()': (_res, req) => req.destroy(),
  'req.socket.destroy()': (_res, req) => req.socket.destroy(new Error('of the framework')),
  'a throw': () => {
    throw new Error('of the handler');
  },
};

/** From Node 24 on, a pipeline does not begin where the response is over, as if the client had gone. */
function canOpenPipeline(res: Response): boolean {
  return !res.closed || Number(process.versions.node.split('.')[0]) < 24;
}

async function openPipeline(res: Response, parts: readonly (string | Error)[]): Promise<void> {
  const source = Readable.from(slowly(parts));
  if (canOpenPipeline(res)) await pipeline(source, res);
  else expect(await rejectionOf(pipeline(source, res))).to.include({ code: 'ERR_STREAM_UNABLE_TO_PIPE' });
}

async function* slowly(parts: readonly (string | Error)[]): AsyncGenerator<string> {
  for (const part of parts) {
    await turn();
    if (part instanceof Error) throw part;
    yield part;
  }
}

const deny: RequestHandler = (req, _res, next) => {
  req.security.deny(DENIED);
  next();
};
/** Has another answer under way when it denies. */
const writeAndDeny: RequestHandler = (req, res, next) => {
  req.security.labels.add('secret');
  res.cookie('salary', SECRET).write(SECRET);
  req.security.deny(DENIED);
  next();
};
const taintAndDeny: RequestHandler = (req, _res, next) => {
  req.security.labels.add('secret');
  req.security.deny(DENIED);
  next();
};
/** Goes on though the guard has answered. */
const failedTaint: RequestHandler = (req, res, next) => {
  taint('secret')(req, res, () => {});
  res.once('close', () => next());
};
const failedPersist: RequestHandler = (req, _res, next) => {
  req.security.labels.add('secret');
  req.security.persist().then(
    () => next(new Error('persisted')),
    () => {
      req.security.deny(DENIED);
      next();
    },
  );
};
const failing: SessionStore = new ScriptedStore({ append: () => Promise.reject(new Error('append failed')) });

const DENIALS: Readonly<Record<string, { readonly deny: readonly RequestHandler[]; readonly store?: SessionStore }>> = {
  'deny()': { deny: [deny] },
  'deny() of an answer that was begun': { deny: [writeAndDeny] },
  'deny() with a label': { deny: [taintAndDeny] },
  'deny() below compression': { deny: [compression({ threshold: 0 }), writeAndDeny] },
  'deny() below express-session': {
    deny: [expressSession({ secret: 's', resave: true, saveUninitialized: true }), deny],
  },
  'the denial of a taint guard whose append failed': { deny: [failedTaint], store: failing },
  'deny() after a failed persist()': { deny: [failedPersist], store: failing },
};

before(() => writeFileSync(file, BIG));
after(() => rmSync(folder, { recursive: true }));

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`Calls on a denied response, ${version}`, () => {
    const servers: Array<{ close: () => unknown }> = [];
    afterEach(async () => {
      for (const server of servers.splice(0).reverse()) await server.close();
    });

    async function start(app: Express): Promise<KeptConnection> {
      const server: RunningServer = await serve(app);
      const connection = new KeptConnection(server.port);
      servers.push(server, connection);
      return connection;
    }

    for (const [denial, { deny: handlers, store }] of Object.entries(DENIALS)) {
      describe(`${denial}: a 403, and the connection lives`, () => {
        for (const [what, afterwards] of Object.entries(AFTERWARDS)) {
          for (const when of ['at once', 'later'] as const) {
            it(`G2: then ${what} ${when}`, async () => {
              let ended: Promise<unknown> = Promise.resolve();
              const events: string[] = [];
              const app = express().set('env', 'test');
              app.use(
                aplSessionMiddleware({
                  session: sessionPerRequest(randomUUID()),
                  store: store ?? new ScriptedStore(),
                  onAlarm: () => {},
                  logger: { warn() {}, error() {} },
                }),
              );
              app.get('/next', (_req, res) => void res.send('served'));
              app.use((_req, res, next) => {
                for (const event of ['finish', 'close']) res.on(event, () => events.push(event));
                next();
              });
              app.use(...handlers, (req: Request, res: Response) => {
                const run = async (): Promise<void> => {
                  if (when === 'later' && !res.closed) await once(res, 'close');
                  await afterwards(res, req);
                };
                ended = what === 'a throw' ? Promise.resolve() : run();
                if (what === 'a throw') {
                  if (when === 'at once') throw new Error('of the handler');
                  ended = (res.closed ? Promise.resolve() : once(res, 'close')).then(() =>
                    req.next?.(new Error('of the handler')),
                  );
                }
              });
              const connection = await start(app);
              const answer = await connection.ask('/denied');
              expect(answer.status).to.equal(403);
              expect(answer.headers['content-type']).to.equal('application/problem+json; charset=utf-8');
              expect(JSON.stringify(answer)).not.to.include('salary');
              await ended;
              const next = await connection.ask('/next');
              expect({ status: next.status, text: next.text }).to.deep.equal({ status: 200, text: 'served' });
              expect(connection.connections).to.equal(1);
              await eventually(() => expect(events).to.deep.equal(['finish', 'close']));
            });
          }
        }
      });
    }
  });
}

describe('A denied response does not wait for', () => {
  let server: RunningServer | undefined;
  const { 1: express } = EXPRESS_VERSIONS[0] as (typeof EXPRESS_VERSIONS)[number];
  const LIMIT_MS = 2_000;
  afterEach(() => server?.close());

  async function start(...handlers: RequestHandler[]): Promise<Wire> {
    const options = {
      session: sessionPerRequest(randomUUID()),
      store: new ScriptedStore(),
      logger: { warn() {}, error() {} },
    };
    server = await serve(express().use(aplSessionMiddleware(options), ...handlers));
    const wire = new Wire(server.port);
    wire.send(get('/'));
    return wire;
  }

  it('a wrapper that never ends it: the 403 arrives, the connection ends', async () => {
    const begin = performance.now();
    const wire = await start((_req, res, next) => {
      res.end = ((chunk: string) => {
        res.write(chunk);
        return res;
      }) as typeof res.end;
      next();
    }, deny);
    expect(await wire.closed()).to.match(/^HTTP\/1\.1 403 [\s\S]*"code":"denied"\}$/);
    expect(wire.ending).to.equal('end');
    expect(performance.now() - begin).to.be.within(LIMIT_MS - 500, LIMIT_MS + 3_000);
  });

  it('an endless source: it is read for a while, then sees a closed response', async () => {
    const begin = performance.now();
    const closed = deferred<void>();
    let parts = 0;
    async function* endless(): AsyncGenerator<string> {
      for (;;) {
        await turn();
        parts += 1;
        yield SECRET;
      }
    }
    const wire = await start(deny, (_req, res) => {
      res.once('close', () => closed.resolve());
      pipeline(Readable.from(endless()), res).catch((error: NodeJS.ErrnoException) => {
        expect(error.code).to.equal('ERR_STREAM_PREMATURE_CLOSE');
      });
    });
    await wire.until(/"code":"denied"\}$/);
    const soFar = parts;
    await closed.promise;
    expect(parts).to.be.greaterThan(soFar + 10);
    expect(performance.now() - begin).to.be.within(LIMIT_MS - 500, LIMIT_MS + 3_000);
    const atEnd = parts;
    for (let n = 0; n < 20; n++) await turn();
    expect(parts).to.be.lessThan(atEnd + 3);
    wire.destroy();
  });

  it('a pipe without an end: the source is read for a while, and then no longer', async () => {
    const closed = deferred<void>();
    let parts = 0;
    const source = new Readable({
      read() {
        setImmediate(() => {
          parts += 1;
          this.push(SECRET);
        });
      },
    });
    const wire = await start(deny, (_req, res) => {
      res.once('close', () => closed.resolve());
      source.pipe(res);
    });
    await wire.until(/"code":"denied"\}$/);
    await closed.promise;
    // what its buffer takes may still be read
    const atClose = parts + source.readableHighWaterMark / SECRET.length + 1;
    while (parts < atClose && source.readableLength < source.readableHighWaterMark) await turn();
    for (let n = 0; n < 20; n++) await turn();
    expect(parts).to.be.at.most(atClose);
    source.destroy();
    wire.destroy();
  });
});
