import { type AttributeValues, BUCKETS_SECONDS, type GaugeReading, type Instruments, type Metric } from './metric.js';

type MetricType = 'counter' | 'histogram' | 'gauge';

/** Keeps counts, and shows them in the text format 0.0.4 of Prometheus. */
export class PrometheusText implements Instruments {
  /** Each returns the lines of one metric. */
  readonly #metrics: Array<() => readonly string[]> = [];

  counter(metric: Metric): (attributes: AttributeValues) => () => void {
    const name = prometheusName(metric, 'counter');
    const rows: Array<{ readonly labels: string; value: number }> = [];
    this.#add(metric, 'counter', () => rows.map(({ labels, value }) => sample(name, labels, value)));
    return (attributes) => {
      const row = { labels: labelsOf(attributes), value: 0 };
      rows.push(row);
      return () => {
        row.value += 1;
      };
    };
  }

  histogram(metric: Metric): (attributes: AttributeValues) => (value: number) => void {
    const name = prometheusName(metric, 'histogram');
    const rows: HistogramRow[] = [];
    this.#add(metric, 'histogram', () => rows.flatMap((row) => row.lines(name)));
    return (attributes) => {
      const row = new HistogramRow(labelsOf(attributes));
      rows.push(row);
      return (value) => row.record(value);
    };
  }

  gauge(metric: Metric, read: () => readonly GaugeReading[]): void {
    const name = prometheusName(metric, 'gauge');
    this.#add(metric, 'gauge', () => read().map(({ value, attributes }) => sample(name, labelsOf(attributes), value)));
  }

  text(): string {
    return this.#metrics.flatMap((lines) => lines()).join('');
  }

  #add(metric: Metric, type: MetricType, samples: () => readonly string[]): void {
    const name = prometheusName(metric, type);
    const head = `# HELP ${name} ${metric.description}\n# TYPE ${name} ${type}\n`;
    this.#metrics.push(() => [head, ...samples()]);
  }
}

class HistogramRow {
  readonly #labels: string;
  /** How many values are in each bucket; the last one is for all above. */
  readonly #counts: number[] = new Array(BUCKETS_SECONDS.length + 1).fill(0);
  #sum = 0;

  constructor(labels: string) {
    this.#labels = labels;
  }

  record(value: number): void {
    let bucket = 0;
    while (bucket < BUCKETS_SECONDS.length && value > (BUCKETS_SECONDS[bucket] as number)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
  }

  lines(name: string): readonly string[] {
    const labels = this.#labels;
    let total = 0;
    const buckets = this.#counts.map((count, n) => {
      total += count;
      return sample(`${name}_bucket`, joined(labels, `le="${BUCKETS_SECONDS[n] ?? '+Inf'}"`), total);
    });
    return [...buckets, sample(`${name}_sum`, labels, this.#sum), sample(`${name}_count`, labels, total)];
  }
}

/** Units in braces have no suffix. */
const UNITS: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/** The rules of OpenTelemetry for Prometheus, so that dashboards fit both. */
export function prometheusName({ name, unit }: Metric, type: MetricType): string {
  const suffixes = `${UNITS[unit] ?? ''}${type === 'counter' ? '_total' : ''}`;
  return `${name.replaceAll('.', '_')}${suffixes}`;
}

function labelsOf(attributes: AttributeValues): string {
  return Object.entries(attributes)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',');
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function joined(...labels: string[]): string {
  return labels.filter((label) => label !== '').join(',');
}

function sample(name: string, labels: string, value: number): string {
  return labels === '' ? `${name} ${value}\n` : `${name}{${labels}} ${value}\n`;
}
