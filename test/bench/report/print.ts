import type { Results } from '../results.js';
import { addedInstructions } from './instructions.js';
import { notMeasurable } from './measurable.js';

/** Returns the results of a run as text for the terminal. */
export function printResults(results: Results): string {
  const { instructions, saturation, comparisons, latency, scale, memory, roundTrips, targets } = results;
  const lines: string[] = [];
  const heading = (title: string, ...cells: string[]): void => void lines.push('', row(title, ...cells));
  if (instructions.length > 0) heading('instructions', 'median', 'low', 'high', 'added');
  for (const { name, title, instructions: own } of instructions) {
    const figures = [own.median, own.low, own.high, addedInstructions(instructions, name)?.median ?? 0];
    lines.push(row(title, ...figures.map((figure) => figure.toFixed(0))));
  }
  if (saturation.length > 0) heading('at saturation', 'req/s', 'x bare', 'low', 'high', 'CPU µs', 'added µs', 'busy');
  for (const r of saturation) {
    const { median, low, high } = r.throughputRatio;
    const ratio = [median, low, high].map((figure) => figure.toFixed(3));
    const cpu = [r.cpuMicros.median.toFixed(1), r.addedCpuMicros.median.toFixed(1), r.utilisation.toFixed(2)];
    lines.push(row(r.title, r.requestsPerSecond.median.toFixed(0), ...ratio, ...cpu));
  }
  if (comparisons.length > 0) heading('pairs of scenarios', 'req/s', 'low', 'high', 'added', 'low', 'high');
  for (const { own, other, throughput, addedCpu } of comparisons) {
    const figures = [throughput, addedCpu].flatMap(({ median, low, high }) => [median, low, high]);
    lines.push(row(`${own} over ${other}`, ...figures.map((figure) => figure.toFixed(3))));
  }
  if (latency.length > 0) heading('latency, ms', 'p50', '+p50', 'low', 'high', '+p99', 'low', 'high');
  for (const { title, p50Ms, addedP50Ms, addedP99Ms } of latency) {
    const added = [addedP50Ms, addedP99Ms].flatMap(({ median, low, high }) => [median, low, high]);
    lines.push(row(title, ...[p50Ms, ...added].map((figure) => figure.toFixed(3))));
  }
  if (roundTrips.length > 0) heading('for one request', 'trips', 'commands');
  for (const { title, roundTrips: trips, commands } of roundTrips) {
    lines.push(`${row(title, `${trips}`)}    ${JSON.stringify(commands)}`);
  }
  if (memory) lines.push('', `memory, bytes: ${JSON.stringify(memory)}`);
  if (scale) lines.push('', `scale: ${JSON.stringify(scale, undefined, 1)}`);
  if (targets.length > 0) lines.push('');
  for (const { target, limit, measured, interval, verdict } of targets) {
    const between = interval === undefined ? '' : ` [${interval.join(', ')}]`;
    lines.push(`${verdict.padEnd(14)}  ${target}: ${measured}${between} (${limit})`);
  }
  lines.push('', 'not measurable here:', ...notMeasurable(results));
  return lines.join('\n');
}

function row(title: string, ...cells: readonly string[]): string {
  return title.padEnd(46) + cells.map((cell) => cell.padStart(10)).join('');
}
