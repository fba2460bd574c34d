import { channel } from 'node:diagnostics_channel';
import { metrics as globalMetrics } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import {
  AggregationTemporality,
  createAllowListAttributesProcessor,
  MeterProvider,
  type MeterProviderOptions,
  MetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import { expect } from 'chai';
import express from 'express';
import request from 'supertest';
import { EventStream } from '../../lib/events/event-stream.js';
import { denyIf, MemorySessionStore } from '../../lib/index.js';
import { prometheusMetrics } from '../../lib/metrics.js';
import {
  type OpenTelemetryMetricsOptions,
  type OpenTelemetrySubscription,
  openTelemetryMetrics,
} from '../../lib/opentelemetry.js';
import { controllableStore } from '../../lib/testing.js';
import { thrownBy } from '../support/eventually.js';
import { addLabel, LABEL, middlewareFixture, ok, SESSION, thrower } from '../support/middleware-fixture.js';
import { samplesOf } from './metrics-fixture.js';

const LOADED = 'express_apl_session_loads_total{outcome="loaded"}';

/** Reads the metrics when the test asks. */
class AskedReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

describe('openTelemetryMetrics(), options', () => {
  const meterProvider = new MeterProvider();
  const faults: ReadonlyArray<readonly [what: string, options: unknown, message: RegExp]> = [
    ['no provider', {}, /'meterProvider' is required.*meterProvider: metrics/],
    ['a meter as the provider', { meterProvider: meterProvider.getMeter('x') }, /no method 'getMeter'/],
    ['null as the provider', { meterProvider: null }, /no method 'getMeter'/],
    ['an unknown key', { meterProvider, meter: 1 }, /did you mean 'meterProvider'/],
    ['a block as the store', { meterProvider, store: { kind: 'memory' } }, /not a SessionStore/],
  ];
  for (const [what, options, message] of faults) {
    it(`${what}: config.invalid, and the message says how to mend it`, () => {
      const error = thrownBy(() => openTelemetryMetrics(options as OpenTelemetryMetricsOptions));
      expect(error).to.include({ code: 'config.invalid' });
      expect((error as Error).message)
        .to.match(message)
        .and.include('openTelemetryMetrics');
    });
  }

  it('accepts metrics of the API, which counts nothing without an SDK', () => {
    openTelemetryMetrics({ meterProvider: globalMetrics }).close();
  });
});

describe('openTelemetryMetrics()', () => {
  const { appOf, middlewareWith } = middlewareFixture(express);
  let reader: AskedReader;
  let provider: MeterProvider;
  let subscription: OpenTelemetrySubscription | undefined;
  const provide = (options: MeterProviderOptions = {}): void => {
    reader = new AskedReader();
    provider = new MeterProvider({ ...options, readers: [reader, ...(options.readers ?? [])] });
  };
  beforeEach(() => provide());
  afterEach(() => {
    subscription?.close();
    return provider.shutdown();
  });
  const collected = async (): Promise<ResourceMetrics> => (await reader.collect()).resourceMetrics;
  /** The text of the Prometheus exporter of OpenTelemetry, without what it adds to each series. */
  const exported = async () =>
    samplesOf(
      new PrometheusSerializer('', false, undefined, true, true)
        .serialize(await collected())
        .replaceAll(/,?otel_scope_\w+="[^"]*"/g, ''),
    );
  const play = async (store: ReturnType<typeof controllableStore>): Promise<void> => {
    const app = appOf(middlewareWith({ store }));
    app.get('/notes/:id', addLabel, ok).post('/mail', denyIf(LABEL, { code: 'session_tainted', reason: LABEL }), ok);
    await request(app).get('/notes/5').expect(200);
    await request(app).post('/mail').expect(403);
    store.fail('load');
    await request(app).post('/mail').expect(403);
  };

  it('has the series and values of prometheusMetrics(), so one dashboard fits both', async () => {
    const store = controllableStore();
    subscription = openTelemetryMetrics({ meterProvider: provider, store });
    const prometheus = prometheusMetrics({ store });
    await play(store);
    prometheus.close();
    // this exporter writes no units into names; the collector and Prometheus itself do
    const ours = samplesOf(prometheus.text().replaceAll(/_seconds|_bytes/g, ''));
    const theirs = await exported();
    expect(ours.size).to.be.greaterThan(50);
    // a histogram of OpenTelemetry has no series before its first value
    const missing = [...ours].filter(([name, value]) => value !== 0 && theirs.get(name) !== value);
    expect(missing).to.deep.equal([]);
    expect([...theirs.keys()].filter((name) => name.startsWith('express_apl') && !ours.has(name))).to.deep.equal([]);
  });

  it('the scope is this package, durations are in seconds with our buckets', async () => {
    const store = controllableStore();
    subscription = openTelemetryMetrics({ meterProvider: provider });
    await play(store);
    const { scopeMetrics } = await collected();
    expect(scopeMetrics.map(({ scope }) => scope.name)).to.deep.equal(['express-apl-session']);
    const load = scopeMetrics[0]?.metrics.find(({ descriptor }) => descriptor.name.endsWith('load.duration'));
    expect(load?.descriptor).to.include({ name: 'express_apl_session.load.duration', unit: 's' });
    expect(load?.dataPoints[0]?.value).to.have.nested.property('buckets.boundaries[0]', 0.0005);
  });

  it('no metric holds a label or the id of a session', async () => {
    const store = controllableStore();
    subscription = openTelemetryMetrics({ meterProvider: provider, store });
    await play(store);
    const shown = JSON.stringify(await collected());
    expect(shown).to.include('session_tainted');
    for (const secret of [SESSION, LABEL]) expect(shown).to.not.include(secret);
  });

  it('close() ends the counts and the gauges', async () => {
    const store = new MemorySessionStore();
    const closed = openTelemetryMetrics({ meterProvider: provider, store });
    expect((await exported()).get('express_apl_session_store_connected')).to.equal(1);
    closed.close();
    let reads = 0;
    store.status = () => {
      reads += 1;
      return { connected: true, since: '' };
    };
    await collected();
    expect(reads).to.equal(0);
    expect(channel('express-apl-session:load').hasSubscribers).to.equal(false);
  });

  it('close() adds what was counted since the last collection', async () => {
    const closed = openTelemetryMetrics({ meterProvider: provider });
    const stream = new EventStream('test');
    stream.publishCall('load', 'loaded', 3);
    closed.close();
    closed.close();
    stream.publishCall('load', 'loaded', 3);
    expect((await exported()).get(LOADED)).to.equal(1);
  });

  it('every collection has what was counted before it, cumulative or as a delta', async () => {
    const delta = new AskedReader({ aggregationTemporalitySelector: () => AggregationTemporality.DELTA });
    provide({ readers: [delta] });
    subscription = openTelemetryMetrics({ meterProvider: provider });
    const stream = new EventStream('test');
    const [sums, deltas] = [[] as unknown[], [] as unknown[]];
    for (const loads of [2, 0, 3]) {
      for (let n = 0; n < loads; n++) stream.publishCall('load', 'loaded', 3);
      sums.push(loadsIn(await collected()));
      deltas.push(loadsIn((await delta.collect()).resourceMetrics));
    }
    expect(sums).to.deep.equal([[2], [2], [5]]);
    expect(deltas).to.deep.equal([[2], [], [3]]);
  });

  it('a view that leaves an attribute out sums the series that differ in it', async () => {
    const view = {
      instrumentName: 'express_apl_session.loads',
      attributesProcessors: [createAllowListAttributesProcessor(['outcome'])],
    };
    provide({ views: [view] });
    subscription = openTelemetryMetrics({ meterProvider: provider });
    const stream = new EventStream('test');
    for (const code of ['store.timeout', 'store.unavailable'])
      stream.publish('load', { outcome: 'failed', durationMs: 1, code });
    expect(loadsIn(await collected())).to.deep.equal([2]);
  });

  it('a meter that throws does not end the app', async () => {
    const throwing = { add: (value: number) => value > 0 && thrower('no exporter'), record: () => thrower('none') };
    const meter = { createCounter: () => throwing, createHistogram: () => throwing };
    const gauge = { addCallback() {}, removeCallback() {} };
    const meterProvider = { getMeter: () => ({ ...meter, createObservableGauge: () => gauge }) };
    subscription = openTelemetryMetrics({ meterProvider: meterProvider as never });
    await play(controllableStore());
  });
});

/** The values of all series of the loads. */
function loadsIn({ scopeMetrics }: ResourceMetrics): readonly unknown[] {
  const all = scopeMetrics.flatMap(({ metrics }) => metrics);
  const loads = all.find(({ descriptor }) => descriptor.name === 'express_apl_session.loads');
  return loads?.dataPoints.map(({ value }) => value) ?? [];
}
