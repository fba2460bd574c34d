import type { MeterProvider } from '@opentelemetry/api';
import Joi from 'joi';
import type { SessionStore } from '../contract/session-store.js';
import { VERSION } from '../contract/version.js';
import { parseOptions } from '../options/parse-options.js';
import { eventMetrics } from './event-metrics.js';
import { subscribeToEvents } from './event-subscription.js';
import { MeterInstruments } from './meter-instruments.js';
import { assertProvider } from './provider.js';
import { assertHasStatus, STORE_HINT, storeGauges } from './store-gauges.js';

export interface OpenTelemetryMetricsOptions {
  /** `metrics` of `@opentelemetry/api`, or a `MeterProvider`. Start your SDK first: `metrics` counts nothing without it. */
  readonly meterProvider: Pick<MeterProvider, 'getMeter'>;

  /**
   * The store whose connection and circuit are shown: `aplSession.store`, or a store that you have made. Without it these two
   * gauges are absent.
   */
  readonly store?: SessionStore;

  /**
   * How many series each metric may have. Further routes, codes, sources and guards are counted as `other`.
   * @default 500
   */
  readonly maxSeriesPerMetric?: number;
}

/** Metrics or traces that are on. */
export interface OpenTelemetrySubscription {
  /** Ends the subscriptions. Your SDK keeps running. */
  close(): void;
}

const schema = Joi.object<Required<OpenTelemetryMetricsOptions>>({
  meterProvider: Joi.any().required(),
  store: Joi.any(),
  maxSeriesPerMetric: Joi.number().integer().min(10).max(100_000).default(500),
});

const hints = {
  store: STORE_HINT,
  meterProvider: "Write meterProvider: metrics, with metrics of '@opentelemetry/api'.",
};

/**
 * Counts the events of all middlewares of this process from now on, with OpenTelemetry. No metric holds a label, the id of a
 * session or a subject.
 *
 * @throws AplSessionError `config.invalid`
 *
 * @example
 * import { metrics } from '@opentelemetry/api';
 *
 * openTelemetryMetrics({ meterProvider: metrics, store: aplSession.store });
 */
export function openTelemetryMetrics(options: OpenTelemetryMetricsOptions): OpenTelemetrySubscription {
  const { maxSeriesPerMetric } = parseOptions('openTelemetryMetrics', schema, options, hints);
  // not from parseOptions(): joi copies objects
  const { meterProvider, store } = options;
  assertProvider('openTelemetryMetrics', meterProvider, 'meterProvider', 'getMeter', hints.meterProvider);
  assertHasStatus('openTelemetryMetrics', store);
  const instruments = new MeterInstruments(meterProvider.getMeter('express-apl-session', VERSION));
  const unsubscribe = subscribeToEvents(eventMetrics(instruments, maxSeriesPerMetric));
  if (store) storeGauges(store, instruments);
  return Object.freeze({
    close: (): void => {
      unsubscribe();
      instruments.close();
    },
  });
}
