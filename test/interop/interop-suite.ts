import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type express from 'express';
import type { ErrorRequestHandler, Express, Request, RequestHandler, Response } from 'express';
import onFinished from 'on-finished';
import { type Alarm, type AplSessionMiddleware, aplSessionMiddleware, denyIf } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { sessionPerRequest } from '../support/gated-server.js';
import { HeldStore } from '../support/held-store.js';
import { expectDenial, normalised, parseResponse } from '../support/parse-response.js';
import { get, type RunningServer, serve, Wire } from '../support/raw-http.js';

/** What the server saw of one request. */
export interface Observed {
  readonly req: Request;
  readonly res: Response;
  /** Status at each call of the on-finished listener: one entry if it is called once. */
  readonly finished: number[];
  /** Resolves when both on-finished and `close` have fired. */
  readonly over: Promise<unknown>;
  /** Headers when aplSessionMiddleware was entered. */
  headersAtEntry: Readonly<Record<string, unknown>>;
  /** Bytes handed to the socket so far, over all requests of the connection. */
  readonly bytesOut: () => number;
}

/** Where the other middleware is mounted, seen from aplSessionMiddleware; `absent`: the app has no aplSessionMiddleware. */
export type Position = 'before' | 'after' | 'absent';
export const POSITIONS = ['before', 'after'] as const;

export interface BenchOptions {
  readonly express: typeof express;
  readonly position: Position;
  /** The other middleware, made new for each app. */
  readonly mount: () => RequestHandler | readonly RequestHandler[];
  /** Routes of the test's own, in front of the standard ones. */
  readonly routes?: (app: Express, bench: Bench) => void;
}

/** An app with another middleware, with or without aplSessionMiddleware, on a port. */
export class Bench {
  readonly store = new HeldStore();
  readonly alarms: Alarm[] = [];
  readonly observed: Observed[] = [];
  readonly errors: unknown[] = [];
  readonly #middleware: AplSessionMiddleware;
  #server: RunningServer | undefined;

  private constructor() {
    this.#middleware = aplSessionMiddleware({
      session: sessionPerRequest(),
      store: this.store,
      storeTimeoutMs: 60_000,
      logger: { warn() {}, error() {} },
      onAlarm: (alarm) => this.alarms.push(alarm),
    });
  }

  static async open(options: BenchOptions): Promise<Bench> {
    const bench = new Bench();
    const { position, mount, routes } = options;
    const app = options.express();
    app.get('/probe', (_req, res) => void res.end('probe'));
    app.use((req, res, next) => {
      bench.#observe(req, res);
      next();
    });
    const others = [mount()].flat();
    if (position !== 'after') app.use(...others);
    if (position !== 'absent') {
      app.use((req, res, next) => {
        bench.#last(req).headersAtEntry = { ...res.getHeaders() };
        next();
      }, bench.#middleware);
    }
    if (position === 'after') app.use(...others);
    routes?.(app, bench);
    app.use(situations);
    app.use(bench.#onError);
    bench.#server = await serve(app);
    return bench;
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  get server(): RunningServer['server'] {
    if (!this.#server) throw new Error('The bench is not open.');
    return this.#server.server;
  }

  /** Sends a request on a connection of its own. */
  send(request: string): Wire {
    const wire = new Wire(this.port);
    wire.send(request);
    return wire;
  }

  /** The request that came last. */
  get latest(): Observed {
    const latest = this.observed.at(-1);
    if (!latest) throw new Error('No request has come.');
    return latest;
  }

  /**
   * Resolves after a round trip over this server: whatever had been written to another connection before is with its
   * client by then.
   */
  async probe(): Promise<void> {
    const wire = new Wire(this.port);
    wire.send(get('/probe', { Connection: 'close' }));
    expect(await wire.closed()).to.match(/probe$/);
  }

  async close(): Promise<void> {
    await this.#server?.close();
    // labels that could not be stored are tried once more
    this.store.release();
    await this.#middleware.close();
  }

  #last(req: Request): Observed {
    const observed = this.observed.find((one) => one.req === req);
    if (!observed) throw new Error('The request was not observed.');
    return observed;
  }

  #observe(req: Request, res: Response): void {
    const { socket } = req;
    const bytesBefore = socket.bytesWritten;
    const finished: number[] = [];
    const onceFinished = deferred();
    onFinished(res, () => {
      finished.push(res.statusCode);
      onceFinished.resolve();
    });
    const closed = new Promise((resolve) => res.once('close', resolve));
    this.observed.push({
      req,
      res,
      finished,
      over: Promise.all([onceFinished.promise, closed]),
      headersAtEntry: {},
      bytesOut: () => socket.bytesWritten - bytesBefore,
    });
  }

  readonly #onError: ErrorRequestHandler = (error: { status?: number; message: string }, _req, res, next) => {
    this.errors.push(error);
    if (res.headersSent) next(error);
    else res.status(error.status ?? 500).json({ error: error.message });
  };
}

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]).toString('latin1');

/** Text that only handlers make. Nothing that matches it may leave with a denial. */
export const HANDLER_MADE = new RegExp(`salary-4711|x-handler|handler=|${GZIP_MAGIC}`, 'i');

const TEXT = `salary-4711 ${'0123456789abcdef'.repeat(200)}`;
const THIS_FILE = fileURLToPath(import.meta.url);

/** The ways in which a handler answers. */
export const ANSWERS: Readonly<Record<string, (req: Request, res: Response) => void>> = {
  json: (_req, res) => void res.json({ text: TEXT }),
  chunks: (_req, res) => {
    res.type('text').write(TEXT);
    setImmediate(() => {
      res.write('second salary-4711');
      res.end('third');
    });
  },
  pipe: (_req, res) => {
    Readable.from(Array.from({ length: 6 }, (_, n) => `${n} ${TEXT.repeat(8)}`)).pipe(res.type('text'));
  },
  head: (_req, res) => {
    res.writeHead(201, 'Made', { 'Content-Type': 'text/plain', 'X-Handler-Two': ['a', 'b'] }).end(TEXT);
  },
  redirect: (_req, res) => res.redirect('/salary-4711'),
  nothing: (_req, res) => void res.status(204).end(),
  file: (_req, res) => res.sendFile(THIS_FILE),
};

const POLICY = { code: 'policy.refused', reason: 'the policy refuses' };
const guard = denyIf(() => true, POLICY);

/** `/clean/<answer>`, `/tainting/<answer>`, `/policy/guard`, `/policy/late` and `/policy/held`. */
const situations: RequestHandler = (req, res, next) => {
  const [, situation, answer = ''] = req.path.split('/');
  if (situation === 'policy' && answer === 'guard') return guard(req, res, next);
  if (situation === 'tainting') (req as Partial<Request>).security?.labels.add('secret');
  res.set('X-Handler', 'yes').cookie('handler', 'salary-4711');
  if (situation === 'policy') {
    if (answer === 'held') {
      req.security.labels.add('secret');
      res.write(TEXT);
    }
    return req.security.deny(POLICY);
  }
  const handler = ANSWERS[answer];
  return handler ? handler(req, res) : next();
};

export interface InteropSuite {
  readonly mount: BenchOptions['mount'];
  /** Request headers for which the other middleware does something. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Ways of answering, of `ANSWERS`; default: one at once, one in pieces, one with `writeHead`. */
  readonly answers?: readonly string[];
}

/** The tests that every other middleware gets, for each answer, position and Express. */
export function describeInterop(name: string, suite: InteropSuite): void {
  const { mount, headers = {}, answers = ['json', 'pipe', 'head'] } = suite;
  const request = (path: string) => get(path, { ...headers, Connection: 'close' });

  for (const [version, express] of EXPRESS_VERSIONS) {
    for (const position of POSITIONS) {
      describe(`${version}: ${name} ${position} aplSessionMiddleware`, () => {
        let bench: Bench;
        let plain: Bench;
        beforeEach(async () => {
          bench = await Bench.open({ express, position, mount });
          plain = await Bench.open({ express, position: 'absent', mount });
        });
        afterEach(() => Promise.all([bench.close(), plain.close()]));

        /** What came, once the server is done with the request, too. */
        const outcome = async (wire: Wire): Promise<string> => {
          const text = await wire.closed();
          expect(wire.ending).to.equal('end');
          const { over, finished } = bench.latest;
          await over;
          await bench.probe();
          expect(finished, 'on-finished fires once, with the status that was sent').to.deep.equal([
            parseResponse(text).status,
          ]);
          return text;
        };

        for (const answer of answers) {
          it(`G8, P57: a clean request (${answer}) gets the same bytes as without`, async () => {
            const text = await outcome(bench.send(request(`/clean/${answer}`)));
            expect(normalised(text)).to.equal(normalised(await plain.send(request(`/clean/${answer}`)).closed()));
            expect(bench.store.appends.length).to.equal(0);
          });

          it(`G1, P9, P57: a tainting request (${answer}) is held, then the same bytes`, async () => {
            const wire = bench.send(request(`/tainting/${answer}`));
            const append = await bench.store.nextAppend();
            await bench.probe();
            expect(wire.received).to.equal('');
            expect(bench.latest.bytesOut()).to.equal(0);
            append.succeed();
            const text = await outcome(wire);
            expect(normalised(text)).to.equal(normalised(await plain.send(request(`/tainting/${answer}`)).closed()));
            expect(bench.store.appends.length).to.equal(1);
            expect(bench.alarms).to.deep.equal([]);
          });

          it(`G2, P32, P33: a tainting request (${answer}) whose append fails is denied`, async () => {
            const wire = bench.send(request(`/tainting/${answer}`));
            const append = await bench.store.nextAppend();
            await bench.probe();
            expect(bench.latest.bytesOut()).to.equal(0);
            append.fail();
            const text = await outcome(wire);
            expect(text).not.to.match(HANDLER_MADE);
            expectDenial(parseResponse(text), 'session.persist_failed', Object.keys(bench.latest.headersAtEntry));
            for (const [header, value] of Object.entries(bench.latest.headersAtEntry)) {
              if (typeof value === 'string') expect(parseResponse(text).header(header)).to.equal(value);
            }
            expect(bench.alarms).to.have.length(1);
          });
        }

        for (const way of ['guard', 'late']) {
          it(`G2, P33: a policy denial (${way}) carries nothing of the handler`, async () => {
            const text = await outcome(bench.send(request(`/policy/${way}`)));
            expect(text).not.to.match(HANDLER_MADE);
            expectDenial(parseResponse(text), 'policy.refused', Object.keys(bench.latest.headersAtEntry));
          });
        }

        it('G2, P33: a failed load gets the denial, with earlier headers only', async () => {
          bench.store.holdLoads = true;
          const wire = bench.send(request('/clean/json'));
          const load = await bench.store.nextLoad();
          await bench.probe();
          expect(bench.latest.bytesOut()).to.equal(0);
          load.fail();
          const text = await outcome(wire);
          expect(text).not.to.match(HANDLER_MADE);
          const kept = Object.keys(bench.latest.headersAtEntry);
          expectDenial(parseResponse(text), 'session.load_failed', kept);
        });

        it('G2, P32: a policy denial replaces what was written and is held', async () => {
          const wire = bench.send(request('/policy/held'));
          const append = await bench.store.nextAppend();
          expect(bench.latest.bytesOut()).to.equal(0);
          append.succeed();
          const text = await wire.closed();
          expect(text).not.to.match(HANDLER_MADE);
          expectDenial(parseResponse(text), 'policy.refused', Object.keys(bench.latest.headersAtEntry));
        });
      });
    }
  }
}
