/** A metric as both backends know it: the name of OpenTelemetry; Prometheus has underscores in place of the dots. */
export interface Metric {
  readonly name: string;
  readonly description: string;
  /** As in UCUM: `s` for seconds, or an annotation such as `{request}`. */
  readonly unit: string;
  /** The names of its attributes, in the order in which their values are given. */
  readonly attributes: readonly string[];
}

/** An empty text is an attribute that is absent. */
export type AttributeValues = Readonly<Record<string, string>>;

export interface GaugeReading {
  readonly value: number;
  readonly attributes: AttributeValues;
}

/** What counts: Prometheus text, or a meter of OpenTelemetry. A series is one combination of attributes of a metric. */
export interface Instruments {
  /** @returns a function that makes a series, which begins with 0, and returns the function that adds 1 to it */
  counter(metric: Metric): (attributes: AttributeValues) => () => void;
  /** @returns a function that makes a series, and returns the function that records a value */
  histogram(metric: Metric): (attributes: AttributeValues) => (value: number) => void;
  /** @param read called when the metrics are read; must not throw */
  gauge(metric: Metric, read: () => readonly GaugeReading[]): void;
}

/** The upper bounds of the buckets of all histograms, in seconds. */
export const BUCKETS_SECONDS: readonly number[] = Object.freeze([
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
]);
