import type { AttributeValues, Metric } from './metric.js';

/** Attributes whose values come from the app. All others have few values. */
const FREE: ReadonlySet<string> = new Set(['source', 'route', 'code', 'guard']);
const OTHER = 'other';

/**
 * The series of one metric. When there are `maxSeries` of them, new values of routes, codes, sources and guards count as
 * `other`: an app that makes them from requests must not fill the memory.
 */
export class BoundedSeries<Series> {
  readonly #metric: Metric;
  readonly #make: (attributes: AttributeValues) => Series;
  readonly #maxSeries: number;
  readonly #series = new Map<string, Series>();
  /** The values of the series that was asked for last: most requests ask for the same ones. */
  #last:
    | { readonly first: string; readonly second: string; readonly third: string; readonly series: Series }
    | undefined;

  constructor(metric: Metric, make: (attributes: AttributeValues) => Series, maxSeries: number) {
    this.#metric = metric;
    this.#make = make;
    this.#maxSeries = maxSeries;
  }

  /** The series with these values, in the order of the metric's attributes. */
  of(first = '', second = '', third = ''): Series {
    const last = this.#last;
    if (last !== undefined && last.first === first && last.second === second && last.third === third)
      return last.series;
    const series = this.#find(first, second, third);
    this.#last = { first, second, third, series };
    return series;
  }

  #find(first: string, second: string, third: string): Series {
    const known = this.#series.get(keyOf(first, second, third));
    if (known !== undefined) return known;
    const values = [first, second, third];
    if (this.#series.size < this.#maxSeries) return this.#add(values);
    const others = values.map((value, n) =>
      value !== '' && FREE.has(this.#metric.attributes[n] ?? '') ? OTHER : value,
    );
    return this.#series.get(keyOf(...others)) ?? this.#add(others);
  }

  #add(values: readonly string[]): Series {
    const attributes = Object.fromEntries(this.#metric.attributes.map((name, n) => [name, values[n] ?? '']));
    const series = this.#make(Object.freeze(attributes));
    this.#series.set(keyOf(...values), series);
    return series;
  }
}

function keyOf(first = '', second = '', third = ''): string {
  return `${first}\n${second}\n${third}`;
}
