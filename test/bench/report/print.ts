import type { Results } from '../results.js';

/** Returns the results of a run as text for the terminal. */
export function printResults({ saturation, latency, growth, memory, roundTrips, targets, noise }: Results): string {
  const lines: string[] = [];
  if (saturation.length > 0)
    lines.push('', row('at saturation', 'req/s', 'x base', 'CPU µs', 'added µs', '± %', 'busy'));
  for (const r of saturation) {
    lines.push(
      row(
        r.title,
        r.requestsPerSecond.median.toFixed(0),
        r.throughputRatio.median.toFixed(3),
        r.cpuMicros.median.toFixed(1),
        r.addedCpuMicros.median.toFixed(1),
        (r.cpuMicros.spread * 100).toFixed(1),
        r.utilisation.toFixed(2),
      ),
    );
  }
  if (latency.length > 0)
    lines.push('', row(`at ${latency[0]?.rate} req/s`, 'p50 ms', 'p99 ms', '+p50', '+p99', 'store p99'));
  for (const r of latency) {
    const figures = [r.p50Ms, r.p99Ms, r.addedP50Ms, r.addedP99Ms, r.storeP99Ms];
    lines.push(row(r.title, ...figures.map((figure) => figure?.median.toFixed(2) ?? '')));
  }
  for (const [index, { of, title, points }] of growth.entries()) {
    if (growth[index - 1]?.of !== of) lines.push('', row(`CPU µs by ${of}`, ...points.map(({ size }) => `${size}`)));
    lines.push(row(title, ...points.map(({ cpuMicros }) => cpuMicros.median.toFixed(1))));
  }
  if (roundTrips.length > 0) lines.push('', row('for one request', 'trips', 'commands'));
  for (const { title, roundTrips: trips, commands } of roundTrips) {
    lines.push(`${row(title, `${trips}`)}    ${JSON.stringify(commands)}`);
  }
  if (memory) lines.push('', `memory, bytes: ${JSON.stringify(memory)}`);
  if (targets.length > 0) lines.push('');
  for (const { target, limit, measured, interval, quiet, met } of targets) {
    const between = interval === undefined ? '' : ` [${interval.join(', ')}]`;
    const best = quiet === undefined ? '' : `, quiet ${quiet}`;
    lines.push(`${met ? 'met   ' : 'MISSED'}  ${target}: ${measured}${between}${best} (${limit})`);
  }
  for (const warning of noise.warnings) lines.push('', `WARNING: ${warning}`);
  return lines.join('\n');
}

function row(title: string, ...cells: readonly string[]): string {
  return title.padEnd(46) + cells.map((cell) => cell.padStart(10)).join('');
}
