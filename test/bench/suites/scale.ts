import type { AppProcess } from '../app-process.js';
import type { Lab } from '../lab.js';
import type { Plan } from '../options.js';
import type { ProcessesResult, ScaleResult } from '../results.js';
import { known, type Scenario, withName } from '../scenarios.js';
import { measureSlice, type Slice } from '../slice.js';
import { summarise } from '../statistics.js';

const STALL_LABELS = [1, 100, 1_000, 10_000];
const STALL_SESSIONS = 10;
const STORED_LABELS = [1, 5, 50];
const PROCESSES = [1, 2];
const WARM_UP_REQUESTS = 200;

/** What matters for many requests and many sessions. */
export async function runScale(
  lab: Lab,
  plan: Plan,
  scenarios: readonly Scenario[],
  say: (text: string) => void,
): Promise<ScaleResult> {
  say('scale: event loop');
  const stalls = await measureStalls(lab, plan);
  say('scale: sessions');
  const sessionBytes = [];
  for (const labels of STORED_LABELS) {
    sessionBytes.push({
      labels,
      memory: await memoryBytes(lab, plan, labels),
      valkey: await valkeyBytes(lab, plan, labels),
    });
  }
  const processes: ProcessesResult[] = [];
  for (const count of PROCESSES) {
    say(`scale: app processes: ${count}`);
    for (const scenario of withName(scenarios, ['bare', 'valkey-clean', 'valkey-taint'])) {
      processes.push(await measureProcesses(lab, plan, scenario, count));
    }
  }
  return { stalls, sessionBytes, processes };
}

/** The app turns its event loop without a wait during one request, and says how long the longest turn took. */
async function measureStalls(lab: Lab, plan: Plan): Promise<ScaleResult['stalls']> {
  const app = await lab.startApp('valkey-large');
  try {
    await lab.load.do({ do: 'open', ports: [app.port], connections: 1 });
    const stalls = [];
    for (const labels of STALL_LABELS) {
      await lab.valkey.flush();
      await lab.valkey.fillSessions('large', STALL_SESSIONS, labelsOf(labels), 'ours');
      const shape = known('/clean', 'large', STALL_SESSIONS);
      await lab.load.do({ do: 'count', shape, requests: WARM_UP_REQUESTS });
      const turnsMs: number[] = [];
      for (let n = 0; n < plan.stallRequests; n++) {
        await app.ask('watch-turns');
        await lab.load.do({ do: 'count', shape, requests: 1 });
        turnsMs.push((await app.ask('longest-turn')) as number);
      }
      stalls.push({ labels, longestTurnMs: summarise(turnsMs) });
    }
    return stalls;
  } finally {
    await lab.load.do({ do: 'close' });
    await app.stop();
  }
}

async function memoryBytes(lab: Lab, plan: Plan, labels: number): Promise<number> {
  const app = await lab.startApp('memory', { nodeArgs: ['--expose-gc'] });
  try {
    await app.ask('fill', { count: 1, labels: labelsOf(labels) });
    const before = await app.memoryBytes();
    await app.ask('fill', { count: plan.storedSessions, labels: labelsOf(labels) });
    return ((await app.memoryBytes()) - before) / plan.storedSessions;
  } finally {
    await app.stop();
  }
}

async function valkeyBytes(lab: Lab, plan: Plan, labels: number): Promise<number> {
  await lab.valkey.flush();
  const before = await lab.valkey.usedMemory();
  await lab.valkey.fillSessions('stored', plan.storedSessions, labelsOf(labels), 'ours');
  return ((await lab.valkey.usedMemory()) - before) / plan.storedSessions;
}

async function measureProcesses(lab: Lab, plan: Plan, scenario: Scenario, count: number): Promise<ProcessesResult> {
  await lab.refill();
  const apps: AppProcess[] = [];
  try {
    // the second process shares the other core with Valkey and the load
    for (const core of [lab.cores.app, lab.cores.rest].slice(0, count)) {
      apps.push(await lab.startApp(scenario.kind, { core }));
    }
    const measure = (durationMs: number): Promise<Slice> =>
      measureSlice(lab, apps, plan.connections, { do: 'saturate', shape: scenario.shape, durationMs });
    await measure(plan.warmUpMs);
    const slices: Slice[] = [];
    for (let round = 0; round < plan.processRounds; round++) slices.push(await measure(plan.processMs));
    return {
      name: scenario.name,
      title: scenario.title,
      processes: count,
      requestsPerSecond: summarise(slices.map(({ requestsPerSecond }) => requestsPerSecond)),
      appMicros: summarise(slices.map(({ cpuMicrosPerRequest }) => cpuMicrosPerRequest)),
      valkeyMicros: summarise(slices.map(({ valkeyMicrosPerRequest }) => valkeyMicrosPerRequest)),
    };
  } finally {
    await lab.load.do({ do: 'close' });
    await Promise.all(apps.map((app) => app.stop()));
  }
}

/** Twelve bytes each. */
function labelsOf(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `label-${String(n).padStart(6, '0')}`);
}
