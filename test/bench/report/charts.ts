import type { Results, ScenarioResult } from '../results.js';
import { type Bar, barChart } from './chart.js';

/** The charts of the document, by file name. */
export function drawCharts({ saturation, latency }: Results): Map<string, string> {
  const added = saturation.filter(
    ({ name, baseline }) => name !== 'bare' && baseline === 'bare' && !/stream/.test(name),
  );
  return new Map([
    [
      'added-cpu.svg',
      barChart(
        'CPU that a middleware adds to a request of bare Express',
        'µs',
        added.map((result) => barOf(result, Math.max(0, result.addedCpuMicros.median))),
      ),
    ],
    [
      'added-p99.svg',
      barChart(
        'p99 latency over bare Express at half load',
        'ms',
        latency
          .filter(({ name }) => name !== 'bare')
          .map((result) => barOf(result, Math.max(0, result.addedP99Ms.median))),
      ),
    ],
  ]);
}

function barOf({ name, title }: Pick<ScenarioResult, 'name' | 'title'>, value: number): Bar {
  const kind = name.startsWith('floor') ? 'floor' : /^(express-session|rate-limit)/.test(name) ? 'other' : 'ours';
  return { label: title, value, kind };
}
