import type { Lab } from '../lab.js';
import type { Plan } from '../options.js';
import type { LatencyResult } from '../results.js';
import type { Scenario } from '../scenarios.js';
import { measureSlice } from '../slice.js';
import { median, paired, quantile, summarise } from '../statistics.js';
import { saturate } from './saturation.js';

/** The scenario that is offered half of what it can do; all others are offered the same. */
const REFERENCE = 'valkey-taint';
const COMPARED = [
  'bare',
  'sessionless',
  'memory-clean',
  'valkey-clean',
  'valkey-taint',
  'floor-clean',
  'floor-taint',
  'express-session-touched',
  'express-session-saved',
  'rate-limit',
];

interface Round {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly storeP99Ms: number | undefined;
}

/** Latency under requests that arrive at random moments, at half the rate that our dearest scenario can bear. */
export async function runLatency(
  lab: Lab,
  plan: Plan,
  scenarios: readonly Scenario[],
  say: (text: string) => void,
): Promise<LatencyResult[]> {
  const compared = scenarios.filter(({ name }) => COMPARED.includes(name));
  const reference = compared.find(({ name }) => name === REFERENCE) ?? compared.at(-1);
  if (!reference) return [];
  await lab.refill();
  await lab.stopApps();
  lab.timed = true;
  for (const scenario of compared) await saturate(lab, scenario, plan.connections, plan.warmUpMs);
  const capacity: number[] = [];
  for (let n = 0; n < 3; n++) {
    capacity.push((await saturate(lab, reference, plan.connections, plan.latencyMs / 4)).requestsPerSecond);
  }
  const rate = Math.round(median(capacity) / 2);

  const rounds = new Map<string, Round[]>(compared.map(({ name }) => [name, []]));
  for (let round = 1; round <= plan.latencyRounds; round++) {
    say(`latency at ${rate} requests per second: round ${round} of ${plan.latencyRounds}`);
    await lab.refill();
    const order = round % 2 === 1 ? compared : compared.toReversed();
    for (const scenario of order) rounds.get(scenario.name)?.push(await pace(lab, plan, scenario, rate));
  }
  await lab.stopApps();
  lab.timed = false;
  const bare = rounds.get('bare') ?? [];
  return compared.map(({ name, title }) => resultOf({ name, title, rate }, rounds.get(name) ?? [], bare));
}

async function pace(lab: Lab, plan: Plan, { kind, shape }: Scenario, rate: number): Promise<Round> {
  const app = await lab.app(kind);
  await app.ask('store-times');
  const step = { do: 'pace', shape, durationMs: plan.latencyMs, rate } as const;
  const { latenciesMs } = await measureSlice(lab, [app], plan.connections, step);
  const storeTimesMs = (await app.ask('store-times')) as number[] | undefined;
  return {
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    storeP99Ms: storeTimesMs && quantile(storeTimesMs, 0.99),
  };
}

function resultOf(
  head: Pick<LatencyResult, 'name' | 'title' | 'rate'>,
  own: readonly Round[],
  bare: readonly Round[],
): LatencyResult {
  const p50 = own.map(({ p50Ms }) => p50Ms);
  const p99 = own.map(({ p99Ms }) => p99Ms);
  const store = own.flatMap(({ storeP99Ms }) => (storeP99Ms === undefined ? [] : [storeP99Ms]));
  const over = (a: number, b: number): number => a - b;
  return {
    ...head,
    p50Ms: summarise(p50),
    p99Ms: summarise(p99),
    addedP50Ms: paired(
      p50,
      bare.map(({ p50Ms }) => p50Ms),
      over,
    ),
    addedP99Ms: paired(
      p99,
      bare.map(({ p99Ms }) => p99Ms),
      over,
    ),
    ...(store.length > 0 && { storeP99Ms: summarise(store) }),
  };
}
