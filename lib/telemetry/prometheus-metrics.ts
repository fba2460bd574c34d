import type { RequestHandler } from 'express';
import Joi from 'joi';
import type { SessionStore } from '../contract/session-store.js';
import { parseOptions } from '../options/parse-options.js';
import { eventMetrics } from './event-metrics.js';
import { subscribeToEvents } from './event-subscription.js';
import { PrometheusText } from './prometheus-text.js';
import { assertHasStatus, STORE_HINT, storeGauges } from './store-gauges.js';

export interface PrometheusMetricsOptions {
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

export interface PrometheusMetrics {
  /** Answers with the metrics in the text format 0.0.4. Mount it where only your Prometheus can reach it. */
  readonly handler: RequestHandler;
  /** The metrics as text, for an endpoint of your own. It ends with a line break. */
  text(): string;
  /** Ends the subscriptions. The counts stay as they are. */
  close(): void;
}

const schema = Joi.object<Required<PrometheusMetricsOptions>>({
  store: Joi.any(),
  maxSeriesPerMetric: Joi.number().integer().min(10).max(100_000).default(500),
});

/**
 * Counts the events of all middlewares of this process from now on, for Prometheus. It needs no other package. No metric holds a
 * label, the id of a session or a subject.
 *
 * @throws AplSessionError `config.invalid`
 *
 * @example
 * const metrics = prometheusMetrics({ store: aplSession.store });
 * app.get('/metrics', metrics.handler);
 */
export function prometheusMetrics(options: PrometheusMetricsOptions = {}): PrometheusMetrics {
  const { maxSeriesPerMetric } = parseOptions('prometheusMetrics', schema, options, { store: STORE_HINT });
  // not from parseOptions(): joi copies objects, but a store must keep its identity
  const { store } = options;
  assertHasStatus('prometheusMetrics', store);
  const metrics = new PrometheusText();
  const close = subscribeToEvents(eventMetrics(metrics, maxSeriesPerMetric));
  if (store) storeGauges(store, metrics);
  const handler: RequestHandler = (_req, res) => {
    res.statusCode = 200;
    res.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
    res.setHeader('Cache-Control', 'no-store');
    res.end(metrics.text());
  };
  return Object.freeze({ handler, text: () => metrics.text(), close });
}
