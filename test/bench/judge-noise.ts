import type { Noise, ScenarioResult } from './results.js';
import { median, type Summary } from './statistics.js';

const MOST_FOREIGN = 0.05;
const MOST_MARGIN = 0.02;
const LEAST_UTILISATION = 0.9;

/** Whether anything can be concluded from a run. */
export function judgeNoise(foreign: readonly number[], saturation: readonly ScenarioResult[]): Noise {
  const others = foreign.length === 0 ? 0 : median(foreign);
  const spread = saturation.length === 0 ? 0 : median(saturation.map(({ cpuMicros }) => cpuMicros.spread));
  const ratios = saturation.filter(({ name, baseline }) => name !== baseline);
  const margin = ratios.length === 0 ? 0 : median(ratios.map(({ throughputRatio }) => marginOf(throughputRatio)));
  const warnings: string[] = [];
  if (others > MOST_FOREIGN) {
    warnings.push(
      `Other processes had ${percent(others)} of the machine. Nothing can be concluded; run again when it is idle.`,
    );
  }
  if (margin > MOST_MARGIN) {
    warnings.push(
      `CPU per request differs by ${percent(spread)} from round to round, so a ratio of throughputs is known to ${percent(margin)} only. Nothing can be concluded from smaller differences.`,
    );
  }
  const idle = saturation.filter(({ utilisation }) => utilisation < LEAST_UTILISATION).map(({ title }) => title);
  if (idle.length > 0) {
    warnings.push(
      `The app had time to spare, so the throughput is not its own: ${idle.join('; ')}. CPU per request holds.`,
    );
  }
  return { foreign: others, spread, margin, warnings };
}

function marginOf({ median: middle, low, high }: Summary): number {
  return (high - low) / 2 / middle;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
