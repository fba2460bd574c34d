/** What several rounds of one figure amount to. */
export interface Summary {
  readonly median: number;
  /** Half the interquartile range over the median: 0.02 reads as plus or minus 2 %. */
  readonly spread: number;
  readonly rounds: number;
  /** Where the true median is in 95 of 100 runs, if rounds are independent of each other. */
  readonly low: number;
  readonly high: number;
}

/** The quantile by linear interpolation between the nearest ranks; `NaN` of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function summarise(values: readonly number[]): Summary {
  const middle = median(values);
  const iqr = quantile(values, 0.75) - quantile(values, 0.25);
  return {
    median: middle,
    spread: middle === 0 ? 0 : Math.abs(iqr / 2 / middle),
    rounds: values.length,
    ...intervalOf(values),
  };
}

/** Fewer rounds have no interval that contains the median with 95 % probability. */
const LEAST_ROUNDS = 6;

export function hasInterval({ rounds }: Summary): boolean {
  return rounds >= LEAST_ROUNDS;
}

/** By the ranks between which the median of a sample lies: assumes nothing about the distribution. */
function intervalOf(values: readonly number[]): { low: number; high: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const margin = 0.98 * Math.sqrt(values.length);
  const low = Math.max(0, Math.floor(values.length / 2 - margin));
  return { low: sorted[low] ?? Number.NaN, high: sorted[values.length - 1 - low] ?? Number.NaN };
}

const BLOCK = 200;

/**
 * How much later the quantile `q` of the second values is than that of the first ones. Each block of pairs gives one
 * difference, so that a pause of the machine is in few of them, and in both sides of a pair alike.
 */
export function addedQuantile(pairs: ReadonlyArray<readonly [number, number]>, q: number, block = BLOCK): Summary {
  const added: number[] = [];
  for (let start = 0; start + block <= pairs.length; start += block) {
    const part = pairs.slice(start, start + block);
    added.push(
      quantile(
        part.map(([, second]) => second),
        q,
      ) -
        quantile(
          part.map(([first]) => first),
          q,
        ),
    );
  }
  return summarise(added);
}

/** Summarises one function of two figures of the same round: what drifts with the machine drifts in both. */
export function paired(
  first: readonly number[],
  second: readonly number[],
  relate: (a: number, b: number) => number,
): Summary {
  return summarise(first.map((value, round) => relate(value, second[round] ?? Number.NaN)));
}
