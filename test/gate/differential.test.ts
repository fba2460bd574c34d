import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { expect } from 'chai';
import type { Request, Response } from 'express';
import fc from 'fast-check';
import { type AplSessionMiddleware, aplSessionMiddleware, MemorySessionStore } from '../../lib/index.js';
import { exchange, get, type RunningServer, serve } from '../support/raw-http.js';
import { destroyInNextTick, program, runProgram, type Step, type Trace } from '../support/response-program.js';

/** `DIFFERENTIAL_CASES=100000` for a long run; `DIFFERENTIAL_SEED` and `DIFFERENTIAL_PATH`, as a failure prints them, to repeat it. */
const CASES = Number(process.env['DIFFERENTIAL_CASES'] ?? 1_500);

interface Run {
  readonly wire: string;
  readonly ending: string | undefined;
  readonly trace: Trace;
}

type StoreSpeed = 'microtask' | 'tick' | 'ticks';

interface Case {
  readonly steps: Step[];
  readonly request: string;
  readonly speed: StoreSpeed;
}

const requestText = fc.constantFrom(
  get('/program'),
  get('/program', { Connection: 'close' }),
  get('/program').replace('GET', 'HEAD'),
  get('/program').replace('HTTP/1.1', 'HTTP/1.0'),
  get('/program', { Connection: 'keep-alive' }).replace('HTTP/1.1', 'HTTP/1.0'),
);
const speed = fc.constantFrom<StoreSpeed>('microtask', 'tick', 'ticks');
const cases: fc.Arbitrary<Case> = fc.record({ steps: program, request: requestText, speed });

/** Appends as slowly as the case says, and fails if it says so. */
class CaseStore extends MemorySessionStore {
  speed: StoreSpeed = 'microtask';
  failing = false;
  #underWay = 0;

  override async appendLabels(sessionId: string, labels: readonly string[]): Promise<void> {
    const ticks = { microtask: 0, tick: 1, ticks: 5 }[this.speed];
    this.#underWay++;
    try {
      for (let tick = 0; tick < ticks; tick++) await nextTick();
      if (this.failing) throw new Error('append failed');
      await super.appendLabels(sessionId, labels);
    } finally {
      this.#underWay--;
    }
  }

  async idle(): Promise<void> {
    do await nextTick();
    while (this.#underWay > 0);
  }
}

describe('Differential: a gated server against a plain Node server', function () {
  this.timeout(Math.max(60_000, CASES * 40));
  const store = new CaseStore();
  const alarms: object[] = [];
  let middleware: AplSessionMiddleware;
  let plain: RunningServer;
  let gated: RunningServer;
  let current: { steps: readonly Step[]; done: (trace: Trace) => void };
  let session = 0;

  async function answer(res: ServerResponse, addLabel: () => void): Promise<void> {
    const { steps, done } = current;
    const closed = new Promise((resolve) => res.once('close', resolve));
    // both servers run the program from the same kind of task, so that what Node does at the end of a tick is the same
    await nextTick();
    const trace = await runProgram(steps, res, addLabel);
    try {
      if (!res.writableEnded && !res.destroyed) res.end('fin');
    } catch {
      // a status that cannot be sent; what has been written is all that there will be
    }
    if (!res.writableEnded && !res.destroyed) await destroyInNextTick(res);
    await closed;
    await store.idle();
    done(trace);
  }

  const probe: RequestListener = (_req, res) => void res.end('probe answered');

  before(async () => {
    middleware = aplSessionMiddleware({
      session: (req) => (req.url === '/probe' ? undefined : `s${session}`),
      store,
      logger: { warn() {}, error() {} },
      onAlarm: (alarm) => alarms.push(alarm),
    });
    plain = await serve((req, res) => (req.url === '/probe' ? probe(req, res) : void answer(res, () => {})));
    gated = await serve((req: IncomingMessage, res) => {
      middleware(req as Request, res as Response, (error) => {
        expect(error).to.equal(undefined);
        let label = 0;
        const { security } = req as Request;
        if (req.url === '/probe') probe(req, res);
        else void answer(res, () => void security.labels.add(`label${label++}`));
      });
    });
  });

  after(async () => {
    await Promise.all([plain.close(), gated.close()]);
    await middleware.close();
  });

  async function run(server: RunningServer, { steps, request }: Case): Promise<Run> {
    const traced = new Promise<Trace>((done) => {
      current = { steps, done };
    });
    const { text, ending } = await withoutHanging(
      exchange(server.port, keepsAlive(request) ? request + get('/probe', { Connection: 'close' }) : request),
    );
    const wire = text.replace(/^Date: .*$/gm, 'Date: -');
    return { wire, ending, trace: await withoutHanging(traced) };
  }

  function check(property: (one: Case) => Promise<void>): Promise<void> {
    const { DIFFERENTIAL_SEED: seed, DIFFERENTIAL_PATH: path } = process.env;
    return fc.assert(fc.asyncProperty(cases, property), {
      numRuns: CASES,
      endOnFailure: true,
      ...(seed && { seed: Number(seed) }),
      ...(path && { path }),
    });
  }

  it('G8: wire, events, return values and errors equal those without the gate', async () => {
    store.failing = false;
    await check(async (one) => {
      session++;
      store.speed = one.speed;
      const expected = await run(plain, one);
      const actual = await run(gated, one);
      if (show(actual) !== show(expected)) throw new Error(`plain:\n${show(expected)}\n\ngated:\n${show(actual)}`);
      const labels = one.steps.filter((current) => current.do === 'label').length;
      expect(await store.loadLabels(`s${session}`)).to.have.length(labels);
    });
  });

  it('G1, G2: a failing store lets nothing out after the first label', async () => {
    store.failing = true;
    await check(async (one) => {
      session++;
      store.speed = one.speed;
      alarms.length = 0;
      const actual = await run(gated, one);
      const firstLabel = one.steps.findIndex((current) => current.do === 'label');
      if (firstLabel < 0) return;
      expect(alarms, 'an alarm').to.have.length.greaterThan(0);
      if (isDenial(actual.wire)) return;
      const before = one.steps.slice(0, firstLabel);
      const after = one.steps.slice(firstLabel);
      for (const secret of tokensOf(after)) {
        if (!tokensOf(before).includes(secret)) expect(actual.wire).not.to.contain(secret);
      }
      expect(actual.wire, 'the end that the program had coming').not.to.match(/\r\nfin|fin\r\n0\r\n/);
    });
  });
});

/** A case that hangs must be named, which the time limit of the test would not do. */
async function withoutHanging<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the case hangs')), 5_000);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function nextTick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function keepsAlive(request: string): boolean {
  return request.includes('HTTP/1.0') ? request.includes('keep-alive') : !request.includes('close');
}

/** As text, for a readable difference. A held write() asks its caller to wait, which Node does only for a slow socket. */
function show({ wire, ending, trace: { steps, sent, errors } }: Run): string {
  return [
    wire.replace(/x{100,}/g, (run) => `x*${run.length}`),
    ending,
    ...steps,
    'sent:',
    ...sent,
    'errors:',
    ...errors,
  ].join('\n');
}

/** A response that the handlers themselves made a denial keeps its bytes (G3). */
function isDenial(wire: string): boolean {
  return (
    /^(HTTP\/1\.1 10[0-3] [\s\S]*?\r\n\r\n)*HTTP\/1\.1 40[13] /.test(wire) && !wire.includes('session.persist_failed')
  );
}

function tokensOf(steps: readonly Step[]): string[] {
  return JSON.stringify(steps).match(/\b[twhr]\d{3}\b/g) ?? [];
}
