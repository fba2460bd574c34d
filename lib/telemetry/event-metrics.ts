import type { Alarm } from '../contract/alarms.js';
import type { AppendEvent, HoldEvent, LoadEvent } from '../contract/events.js';
import { BoundedSeries } from './bounded-series.js';
import type { EventHandlers } from './event-subscription.js';
import { HeldResponses } from './held-responses.js';
import type { Instruments, Metric } from './metric.js';
import { METRICS } from './metrics.js';

/** The compiler refuses this object when a name is missing. */
const ALARMS: Readonly<Record<Alarm['alarm'], true>> = {
  session_store_failure: true,
  session_store_regression: true,
  session_store_ttl_refresh_failed: true,
  session_store_ttl_unsound: true,
  session_store_circuit_changed: true,
  session_store_unsafe_eviction: true,
  session_store_not_durable: true,
  session_store_unsupported_server: true,
  session_store_recovered: true,
  session_missing: true,
  session_unknown: true,
  policy_error: true,
  policy_would_deny: true,
  denial_not_rendered: true,
};
const LOADS: ReadonlyArray<LoadEvent['outcome']> = ['loaded', 'failed'];
const APPENDS: ReadonlyArray<AppendEvent['outcome']> = ['appended', 'failed'];
const HOLDS: ReadonlyArray<HoldEvent['outcome']> = ['released', 'refused', 'cut'];
const MS_PER_SECOND = 1_000;

type Counter = BoundedSeries<() => void>;
type Histogram = BoundedSeries<(seconds: number) => void>;

/** The handlers that count events. */
export function eventMetrics(instruments: Instruments, maxSeries: number): EventHandlers {
  const counter = (metric: Metric): Counter => new BoundedSeries(metric, instruments.counter(metric), maxSeries);
  const histogram = (metric: Metric, outcomes: readonly string[]): Histogram => {
    const series = new BoundedSeries(metric, instruments.histogram(metric), maxSeries);
    for (const outcome of outcomes) series.of(outcome);
    return series;
  };
  const requests = counter(METRICS.requests);
  return {
    request: ({ source }) => requests.of(source ?? 'none')(),
    load: calls(counter(METRICS.loads), histogram(METRICS.loadDuration, LOADS)),
    append: calls(counter(METRICS.appends), histogram(METRICS.appendDuration, APPENDS)),
    hold: holds(instruments, histogram(METRICS.holdDuration, HOLDS)),
    denial: denials(counter(METRICS.denials), counter(METRICS.cutResponses)),
    ...alarms(counter(METRICS.alarms), counter(METRICS.wouldBeDenials)),
  };
}

function calls(counter: Counter, duration: Histogram): (event: LoadEvent | AppendEvent) => void {
  return ({ outcome, code, durationMs }) => {
    counter.of(outcome, code)();
    duration.of(outcome)(durationMs / MS_PER_SECOND);
  };
}

function holds(instruments: Instruments, duration: Histogram): (event: HoldEvent) => void {
  const held = new HeldResponses();
  const reading = (read: () => number) => () => [{ value: read(), attributes: {} }];
  instruments.gauge(
    METRICS.heldResponses,
    reading(() => held.size),
  );
  instruments.gauge(
    METRICS.heldBytes,
    reading(() => held.bytes),
  );
  return ({ outcome, durationMs, response }) => {
    if (outcome === 'held') {
      held.begin(response);
      return;
    }
    held.end(response);
    duration.of(outcome)(durationMs / MS_PER_SECOND);
  };
}

function denials(counter: Counter, cutResponses: Counter): Required<EventHandlers>['denial'] {
  const cutOne = cutResponses.of();
  return ({ route, code, cut }) => {
    counter.of(route, code)();
    if (cut) cutOne();
  };
}

function alarms(counter: Counter, wouldBeDenials: Counter): Pick<Required<EventHandlers>, 'alarm' | 'recovery'> {
  // Prometheus sees no increase in a series that begins with 1
  for (const alarm of Object.keys(ALARMS)) counter.of(alarm);
  return {
    alarm: ({ alarm }) => {
      counter.of(alarm.alarm)();
      if (alarm.alarm === 'policy_would_deny') wouldBeDenials.of(alarm.guard, alarm.route, alarm.code)();
    },
    recovery: ({ alarm }) => counter.of(alarm.alarm)(),
  };
}
