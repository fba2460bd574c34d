import type { LatencyResult, ProcessesResult, Results, SaturationResult } from '../results.js';
import { hasInterval, type Summary } from '../statistics.js';

/** The widest interval (from its low to its high end) with which a figure is shown. */
export const WIDEST = {
  /** As a share of the figure. */
  instructions: 0.05,
  /** Of the throughput of bare Express. */
  throughput: 0.06,
  /** In milliseconds. */
  addedP50Ms: 0.1,
  addedP99Ms: 0.5,
  /** As shares of the figure. */
  stall: 0.5,
  processes: 0.2,
} as const;

/** An app with more time to spare than this does not set the throughput itself. */
const LEAST_UTILISATION = 0.9;

const widthOf = (summary: Summary): number =>
  hasInterval(summary) ? summary.high - summary.low : Number.POSITIVE_INFINITY;
const shareOf = (summary: Summary): number => widthOf(summary) / Math.abs(summary.median);

export const isSteady = (summary: Summary): boolean => shareOf(summary) <= WIDEST.instructions;
export const isStallShown = (summary: Summary): boolean => shareOf(summary) <= WIDEST.stall;

export function isThroughputShown({ throughputRatio, utilisation }: SaturationResult): boolean {
  return widthOf(throughputRatio) <= WIDEST.throughput && utilisation >= LEAST_UTILISATION;
}

export const isP50Shown = ({ addedP50Ms }: LatencyResult): boolean => widthOf(addedP50Ms) <= WIDEST.addedP50Ms;
export const isP99Shown = ({ addedP99Ms }: LatencyResult): boolean => widthOf(addedP99Ms) <= WIDEST.addedP99Ms;

export function areProcessesShown({ requestsPerSecond, appMicros }: ProcessesResult): boolean {
  return shareOf(requestsPerSecond) <= WIDEST.processes && shareOf(appMicros) <= WIDEST.processes;
}

/** One line for each kind of figure that is left out. */
export function notMeasurable({ instructions, saturation, latency, scale, targets }: Results): string[] {
  const lines: string[] = [];
  const add = (what: string, reason: string, names: readonly string[]): void => {
    if (names.length > 0) lines.push(`${what}: ${reason}. ${names.join('; ')}.`);
  };
  if (instructions.length === 0) lines.push('Instructions: they were not counted. This needs valgrind.');
  const titles = <T extends { title: string }>(results: readonly T[], isShown: (result: T) => boolean): string[] =>
    results.filter((result) => !isShown(result)).map(({ title }) => title);
  const wider = (limit: string): string => `there are too few rounds, or the interval is wider than ${limit}`;
  add(
    'Instructions',
    wider(`${WIDEST.instructions * 100} %`),
    titles(instructions, (result) => isSteady(result.instructions)),
  );
  add(
    'Throughput and CPU time',
    `${wider(`${WIDEST.throughput} of bare Express`)}, or the app had time to spare`,
    titles(saturation, isThroughputShown),
  );
  add('Added p50', wider(`${WIDEST.addedP50Ms} ms`), titles(latency, isP50Shown));
  add('Added p99', wider(`${WIDEST.addedP99Ms} ms`), titles(latency, isP99Shown));
  add(
    'The longest turn of the event loop, by labels of the session',
    wider(`${WIDEST.stall * 100} %`),
    (scale?.stalls ?? [])
      .filter(({ longestTurnMs }) => !isStallShown(longestTurnMs))
      .map(({ labels }) => labels.toLocaleString('en')),
  );
  add(
    'Requests per second by processes',
    wider(`${WIDEST.processes * 100} %`),
    (scale?.processes ?? [])
      .filter((result) => !areProcessesShown(result))
      .map(({ title, processes }) => `${title}, ${processes}`),
  );
  add(
    'Targets',
    'there are too few rounds, or the limit is inside of the interval',
    targets
      .filter(({ verdict }) => verdict === 'not measurable')
      .map(({ target, limit, interval }) => `${target} (${limit}, interval ${interval?.join(' to ')})`),
  );
  return lines;
}
