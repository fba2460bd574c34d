import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { trace } from '@opentelemetry/api';
import { expect } from 'chai';
import { EventStream } from '../../lib/events/event-stream.js';
import { type OpenTelemetryTracesOptions, openTelemetryTraces } from '../../lib/opentelemetry.js';
import { ROOT } from '../support/documents.js';
import { thrownBy } from '../support/eventually.js';
import { describeWithValkey } from '../support/valkey.js';

const OURS = 'express-apl-session';
const HTTP = '@opentelemetry/instrumentation-http';
const OUTCOME = 'express_apl_session.outcome';
const SERVER = 1;
const INTERNAL = 0;
const ERROR = 2;
/** Clocks have their resolution. */
const CLOCK_MS = 2;

interface PrintedSpan {
  readonly name: string;
  readonly id: string;
  readonly traceId: string;
  readonly parentId?: string;
  readonly kind: number;
  readonly scope: string;
  readonly status: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly startMs: number;
  readonly endMs: number;
}

describe('openTelemetryTraces(), options', () => {
  const faults: ReadonlyArray<readonly [what: string, options: unknown, message: RegExp]> = [
    ['no provider', {}, /'tracerProvider' is required.*tracerProvider: trace/],
    ['a tracer as the provider', { tracerProvider: trace.getTracer('x') }, /no method 'getTracer'/],
    ['an unknown key', { tracerProvider: trace, tracer: 1 }, /did you mean 'tracerProvider'/],
  ];
  for (const [what, options, message] of faults) {
    it(`${what}: config.invalid, and the message says how to mend it`, () => {
      const error = thrownBy(() => openTelemetryTraces(options as OpenTelemetryTracesOptions));
      expect(error).to.include({ code: 'config.invalid' });
      expect((error as Error).message).to.match(message);
    });
  }

  it('close() ends the subscriptions', () => {
    openTelemetryTraces({ tracerProvider: trace }).close();
    for (const name of ['load', 'append', 'hold'] as const) expect(new EventStream('test').has(name)).to.equal(false);
  });
});

describeWithValkey('openTelemetryTraces() beside the instrumentations of http, express and ioredis', (server) => {
  let statuses: readonly number[];
  let spans: readonly PrintedSpan[];
  before(function () {
    this.timeout(60_000);
    const program = fileURLToPath(new URL('./traced-process.ts', import.meta.url));
    const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program], {
      cwd: fileURLToPath(ROOT),
      env: { ...process.env, VALKEY_URL: server().url },
      encoding: 'utf8',
    });
    expect(stdout, stderr).to.match(/^\{/);
    ({ statuses, spans } = JSON.parse(stdout) as { statuses: number[]; spans: PrintedSpan[] });
  });
  const named = (name: string): readonly PrintedSpan[] => spans.filter((span) => span.name === name);
  /** The spans of the n-th request that the server got, by its path. */
  const traceOf = (path: string, method = 'GET'): readonly PrintedSpan[] => {
    const roots = spans.filter(
      ({ kind, scope, attributes }) =>
        scope === HTTP &&
        kind === SERVER &&
        attributes['url.path'] === path &&
        attributes['http.request.method'] === method,
    );
    const ids = new Set(roots.map(({ traceId }) => traceId));
    return spans.filter(({ traceId }) => ids.has(traceId));
  };
  const oursIn = (path: string, method?: string): readonly unknown[] =>
    traceOf(path, method)
      .filter(({ scope }) => scope === OURS)
      .map(({ name, attributes }) => `${name} ${attributes[OUTCOME]}`)
      .sort();

  it('the requests are answered as without traces', () => {
    expect(statuses).to.deep.equal([200, 200, 403, 403, 403, 200]);
  });

  it('load, append and hold are in the trace of their request', () => {
    const shared = [...oursIn('/notes/1'), ...oursIn('/notes/2')];
    expect(shared.filter((span) => span === 'apl_session.load loaded')).to.have.length(2);
    expect(shared.filter((span) => span === 'apl_session.append appended')).to.have.length(1);
    expect(oursIn('/notes/1')).to.include('apl_session.hold released');
    expect(oursIn('/notes/2')).to.include('apl_session.hold released');
    expect(oursIn('/notes/3')).to.deep.equal([
      'apl_session.append failed',
      'apl_session.hold refused',
      'apl_session.load loaded',
    ]);
  });

  it('each has a parent in its trace, which had begun when it began', () => {
    const ours = spans.filter(({ scope }) => scope === OURS);
    expect(ours).to.have.length.greaterThan(8);
    for (const span of ours) {
      const parent = spans.find(({ id }) => id === span.parentId);
      expect(parent?.traceId, span.name).to.equal(span.traceId);
      expect(span.startMs).to.be.at.least((parent?.startMs ?? Number.NaN) - CLOCK_MS);
      expect(span.endMs).to.be.at.least(span.startMs);
      expect(span.kind).to.equal(INTERNAL);
    }
  });

  it('the spans of http, express and ioredis are there as without this package', () => {
    const names = traceOf('/notes/3').map(({ scope }) => scope);
    expect(names).to.include.members([
      HTTP,
      '@opentelemetry/instrumentation-express',
      '@opentelemetry/instrumentation-ioredis',
    ]);
  });

  it('a failed load or append has the status ERROR and the code', () => {
    const failed = [...named('apl_session.load'), ...named('apl_session.append')].filter(
      ({ attributes }) => attributes[OUTCOME] === 'failed',
    );
    expect(failed).to.have.length.of.at.least(2);
    for (const { status, attributes } of failed) {
      expect(status).to.equal(ERROR);
      expect(attributes['error.type']).to.equal('store.unavailable');
    }
    for (const { status } of named('apl_session.hold')) expect(status).to.equal(0);
  });

  it('a hold has its route; no span of this package holds a label or the id of a session', () => {
    const ours = spans.filter(({ scope }) => scope === OURS);
    const routes = named('apl_session.hold').map(({ attributes }) => attributes['express_apl_session.route']);
    expect(routes).to.include('GET /notes/:id');
    for (const secret of ['secret-label', 'shared', 'third']) expect(JSON.stringify(ours)).to.not.include(secret);
  });

  it('after close() there are no spans of this package', () => {
    expect(traceOf('/notes/4')).to.not.be.empty;
    expect(oursIn('/notes/4')).to.deep.equal([]);
  });
});
