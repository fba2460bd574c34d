import { readFileSync } from 'node:fs';

/** Linux counts CPU in hundredths of a second. */
const MICROS_PER_TICK = 10_000;

/** All CPU time of the machine at one moment, as far as it can be known. */
export interface MachineMark {
  readonly busyMicros: number;
  readonly totalMicros: number;
  readonly serverMicros: number;
}

/** `undefined` where there is no `/proc`. */
export function markMachine(serverPid: number | undefined): MachineMark | undefined {
  try {
    const ticks = (/^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '')
      .split(' ')
      .map(Number)
      .slice(0, 8);
    const total = ticks.reduce((sum, n) => sum + n, 0);
    const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
    return {
      busyMicros: (total - idle) * MICROS_PER_TICK,
      totalMicros: total * MICROS_PER_TICK,
      serverMicros: serverPid === undefined ? 0 : cpuOf(serverPid),
    };
  } catch {
    return undefined;
  }
}

/** The share of the machine that others took between two marks, steal time included; 0 where it cannot be known. */
export function foreignShare(
  before: MachineMark | undefined,
  after: MachineMark | undefined,
  ownMicros: number,
): number {
  if (!before || !after) return 0;
  const own = ownMicros + after.serverMicros - before.serverMicros;
  const foreign = after.busyMicros - before.busyMicros - own;
  return Math.max(0, foreign) / Math.max(1, after.totalMicros - before.totalMicros);
}

function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK;
}
