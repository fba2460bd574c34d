/** All that can be subscribed to the events of this package, for the benchmarks. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { sink } from './instructions/requests.mjs';

/**
 * Subscribes metrics for Prometheus, metrics and spans of OpenTelemetry with its SDK, and a dashboard with one open page. A
 * second has the same load on the page, however many requests it has.
 * @param samplingRatio the share of the traces that are recorded
 */
export async function subscribeEverything(entry, store, samplingRatio = 1) {
  const { prometheusMetrics } = await entry('metrics.js');
  const { openTelemetryMetrics, openTelemetryTraces } = await entry('opentelemetry.js');
  const { dashboard } = await entry('dashboard.js');
  const { meterProvider, tracerProvider } = await sdk(samplingRatio);
  prometheusMetrics({ store });
  openTelemetryMetrics({ meterProvider, store });
  openTelemetryTraces({ tracerProvider });
  openPage(dashboard({ access: 'checked-before', store }));
}

/** The SDK of OpenTelemetry, with batches of spans and metrics that are not sent. */
export async function sdk(samplingRatio = 1) {
  const metrics = await import('@opentelemetry/sdk-metrics');
  const { BatchSpanProcessor, NodeTracerProvider, TraceIdRatioBasedSampler } = await import(
    '@opentelemetry/sdk-trace-node'
  );
  // without a reader, the SDK counts nothing
  const reader = new metrics.PeriodicExportingMetricReader({
    exporter: new metrics.InMemoryMetricExporter(metrics.AggregationTemporality.CUMULATIVE),
  });
  const exporter = { export: (_spans, done) => done({ code: 0 }), shutdown: async () => {} };
  // without the option the SDK records all traces, and computes nothing for that
  const sampling = samplingRatio === 1 ? {} : { sampler: new TraceIdRatioBasedSampler(samplingRatio) };
  return {
    meterProvider: new metrics.MeterProvider({ readers: [reader] }),
    tracerProvider: new NodeTracerProvider({
      ...sampling,
      spanProcessors: [new BatchSpanProcessor(exporter)],
    }),
  };
}

/** What the SDK has to do for one request: the same spans and the same values of histograms, without any event. */
export async function sdkAlone() {
  const { meterProvider, tracerProvider } = await sdk();
  const tracer = tracerProvider.getTracer('bench');
  const meter = meterProvider.getMeter('bench');
  const explicitBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
  const done = { outcome: 'released' };
  const step = (name, attributes) => {
    const duration = meter.createHistogram(`${name}.duration`, { advice: { explicitBucketBoundaries } });
    return () => {
      const endMs = performance.timeOrigin + performance.now();
      tracer.startSpan(name, { startTime: endMs - 0.1, attributes: { ...attributes } }).end(endMs);
      duration.record(0.0001, done);
    };
  };
  const load = step('load', { 'express_apl_session.outcome': 'loaded' });
  const append = step('append', { 'express_apl_session.outcome': 'appended' });
  const hold = step('hold', { 'express_apl_session.outcome': 'released', 'express_apl_session.route': 'GET /' });
  return (isTainting) => {
    load();
    if (!isTainting) return;
    append();
    hold();
  };
}

function openPage(panel) {
  const socket = sink();
  const req = new IncomingMessage(socket);
  Object.assign(req, { method: 'GET', url: '/events', path: '/events', get: () => undefined });
  const res = new ServerResponse(req);
  res.assignSocket(socket);
  panel(req, res, (error) => {
    throw error;
  });
}
