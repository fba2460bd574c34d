import type { Counter, Meter, ObservableResult } from '@opentelemetry/api';
import { type AttributeValues, BUCKETS_SECONDS, type GaugeReading, type Instruments, type Metric } from './metric.js';

/**
 * Counts with a meter of OpenTelemetry. An SDK looks up the attributes at each `add()`, which takes most of the time, so the counts
 * are kept here and added together when the SDK collects. The SDK calls the callbacks of the gauges for that, before it
 * reads the counters. Counters that are observable would need no `add()`, but views that leave attributes out do not sum them.
 */
export class MeterInstruments implements Instruments {
  readonly #meter: Meter;
  readonly #counts: PendingCount[] = [];
  readonly #onClose: Array<() => void> = [];

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  counter({ name, description, unit }: Metric): (attributes: AttributeValues) => () => void {
    const counter = this.#meter.createCounter(name, { description, unit });
    return (values) => {
      const count = new PendingCount(counter, withoutEmpty(values));
      this.#counts.push(count);
      return () => count.increment();
    };
  }

  histogram({ name, description, unit }: Metric): (attributes: AttributeValues) => (value: number) => void {
    const advice = { explicitBucketBoundaries: [...BUCKETS_SECONDS] };
    const histogram = this.#meter.createHistogram(name, { description, unit, advice });
    return (values) => {
      const attributes = withoutEmpty(values);
      return (value) => histogram.record(value, attributes);
    };
  }

  gauge({ name, description, unit }: Metric, read: () => readonly GaugeReading[]): void {
    const gauge = this.#meter.createObservableGauge(name, { description, unit });
    const observe = (result: ObservableResult): void => {
      this.#addCounts();
      for (const { value, attributes } of read()) result.observe(value, attributes);
    };
    gauge.addCallback(observe);
    this.#onClose.push(() => gauge.removeCallback(observe));
  }

  /** Ends the gauges. What was counted before is in the counters. */
  close(): void {
    this.#addCounts();
    for (const end of this.#onClose.splice(0)) end();
  }

  #addCounts(): void {
    for (const count of this.#counts) count.add();
  }
}

/** What one series of a counter has counted since the SDK has last collected. */
class PendingCount {
  readonly #counter: Counter;
  readonly #attributes: AttributeValues;
  #pending = 0;

  constructor(counter: Counter, attributes: AttributeValues) {
    this.#counter = counter;
    this.#attributes = attributes;
    // a series begins with 0
    counter.add(0, attributes);
  }

  increment(): void {
    this.#pending += 1;
  }

  add(): void {
    if (this.#pending === 0) return;
    const value = this.#pending;
    this.#pending = 0;
    try {
      this.#counter.add(value, this.#attributes);
    } catch {
      // the other counters and the gauges must not be lost with this one
    }
  }
}

function withoutEmpty(values: AttributeValues): AttributeValues {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
}
