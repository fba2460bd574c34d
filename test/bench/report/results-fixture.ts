import type { Results, SaturationResult } from '../results.js';
import type { Summary } from '../statistics.js';

/** A figure with an interval, of twenty rounds. */
export function figure(median: number, low = median, high = median): Summary {
  return { median, low, high, spread: 0, rounds: 20 };
}

export function instructionsOf(title: string, name: string, count: Summary): Results['instructions'][number] {
  return { name, title, instructions: count };
}

export function throughputOf(title: string, throughputRatio: Summary, utilisation = 1): SaturationResult {
  const others = { requestsPerSecond: figure(1_000), cpuMicros: figure(100), addedCpuMicros: figure(20) };
  return { name: title, title, throughputRatio, utilisation, ...others };
}

/** A run in which nothing was measured but what is given. */
export function resultsWith(measured: Partial<Results>): Results {
  return {
    at: '2026-01-01T00:00:00.000Z',
    command: 'npm run bench',
    quick: false,
    minutes: 1,
    machine: { cpu: 'a CPU', cores: 2, memoryGiB: 8, system: 'Linux', pinned: true, versions: {} },
    foreign: 0,
    instructions: [],
    saturation: [],
    comparisons: [],
    latency: [],
    scale: undefined,
    memory: undefined,
    roundTrips: [],
    targets: [],
    ...measured,
  };
}
