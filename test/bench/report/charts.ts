import type { Results } from '../results.js';
import { type Bar, barChart } from './chart.js';
import { addedInstructions } from './instructions.js';
import { isSteady } from './measurable.js';

export const CHART = 'added-instructions.svg';

/** The charts of the document, by file name. Without steady counts there is none. */
export function drawCharts(results: Results): Map<string, string> {
  const bars = barsOf(results);
  if (bars.length === 0) return new Map();
  return new Map([
    [
      CHART,
      barChart('Instructions that each adds to a request of bare Express, and round trips to Valkey', 'thousand', bars),
    ],
  ]);
}

function barsOf({ instructions: all, roundTrips }: Results): Bar[] {
  const instructions = all.filter((result) => isSteady(result.instructions));
  return instructions.flatMap(({ name, title }) => {
    const added = addedInstructions(instructions, name);
    if (name === 'bare' || !added) return [];
    const trips = roundTrips.find((result) => result.name === name)?.roundTrips;
    const kind = name.startsWith('floor') ? 'floor' : /^(session-|rate-limit)/.test(name) ? 'other' : 'ours';
    const label = trips === undefined ? title : `${title} (${trips})`;
    return [{ label, value: Math.max(0, added.median / 1_000), kind }];
  });
}
