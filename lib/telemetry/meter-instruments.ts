import type { Meter, ObservableResult } from '@opentelemetry/api';
import { type AttributeValues, BUCKETS_SECONDS, type GaugeReading, type Instruments, type Metric } from './metric.js';

/** Counts with a meter of OpenTelemetry. */
export class MeterInstruments implements Instruments {
  readonly #meter: Meter;
  readonly #onClose: Array<() => void> = [];

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  counter({ name, description, unit }: Metric): (attributes: AttributeValues) => () => void {
    const counter = this.#meter.createCounter(name, { description, unit });
    return (values) => {
      const attributes = withoutEmpty(values);
      counter.add(0, attributes);
      return () => counter.add(1, attributes);
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
      for (const { value, attributes } of read()) result.observe(value, attributes);
    };
    gauge.addCallback(observe);
    this.#onClose.push(() => gauge.removeCallback(observe));
  }

  /** Ends the gauges. */
  close(): void {
    for (const end of this.#onClose.splice(0)) end();
  }
}

function withoutEmpty(values: AttributeValues): AttributeValues {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
}
