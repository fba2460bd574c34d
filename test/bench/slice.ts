import type { AppProcess, Mark } from './app-process.js';
import type { Lab } from './lab.js';
import type { LoadCommand } from './load/load-messages.js';
import { foreignShare, markMachine } from './noise.js';

/** One measurement of one scenario in one round. */
export interface Slice {
  readonly requestsPerSecond: number;
  readonly cpuMicrosPerRequest: number;
  /** CPU time of Valkey. */
  readonly valkeyMicrosPerRequest: number;
  /** How much of the time the app was working; near 1, it was the app that set the pace. */
  readonly utilisation: number;
  /** The share of the machine that others had meanwhile. */
  readonly foreign: number;
}

type LoadStep = Extract<LoadCommand, { do: 'saturate' }>;

/** Connects, then measures while the load process does `step`. */
export async function measureSlice(
  lab: Lab,
  apps: readonly AppProcess[],
  connections: number,
  step: LoadStep,
): Promise<Slice> {
  await lab.load.do({ do: 'open', ports: apps.map(({ port }) => port), connections });
  const machineBefore = markMachine(lab.valkey.pid);
  const valkeyBefore = await lab.valkey.cpuMicros();
  const before = await markAll(apps);
  const result = await lab.load.do(step);
  const after = await markAll(apps);
  const valkeyMicros = (await lab.valkey.cpuMicros()) - valkeyBefore;
  const machineAfter = markMachine(lab.valkey.pid);
  const cpuMicros = after.cpuMicros - before.cpuMicros;
  const activeMs = after.activeMs - before.activeMs;
  return {
    requestsPerSecond: result.requests / result.seconds,
    cpuMicrosPerRequest: cpuMicros / result.requests,
    valkeyMicrosPerRequest: valkeyMicros / result.requests,
    utilisation: activeMs / (activeMs + after.idleMs - before.idleMs),
    foreign: foreignShare(machineBefore, machineAfter, cpuMicros + result.cpuMicros),
  };
}

async function markAll(apps: readonly AppProcess[]): Promise<Mark> {
  const marks = await Promise.all(apps.map((app) => app.mark()));
  return {
    cpuMicros: sum(marks.map(({ cpuMicros }) => cpuMicros)),
    activeMs: sum(marks.map(({ activeMs }) => activeMs)),
    idleMs: sum(marks.map(({ idleMs }) => idleMs)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
