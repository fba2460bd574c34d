import type { AppProcess } from '../app-process.js';
import type { Lab } from '../lab.js';
import type { Pair } from '../load/load-messages.js';
import type { Plan } from '../options.js';
import type { LatencyResult } from '../results.js';
import { COMPARED, type Scenario, withName } from '../scenarios.js';
import { measureSlice } from '../slice.js';
import { addedQuantile, median, summarise } from '../statistics.js';

/**
 * What a middleware adds to the latency of bare Express, at a rate that every scenario sustains easily. The same request
 * goes to bare Express and to the other app, one directly after the other, so that both meet the same pauses of the machine.
 */
export async function runLatency(
  lab: Lab,
  plan: Plan,
  scenarios: readonly Scenario[],
  say: (text: string) => void,
): Promise<LatencyResult[]> {
  const [bare] = withName(scenarios, ['bare']);
  if (!bare) return [];
  const results: LatencyResult[] = [];
  // bare Express against itself shows how exact the method is
  for (const scenario of [bare, ...withName(scenarios, COMPARED)]) {
    say(`latency: ${scenario.name}`);
    await lab.refill();
    const apps = [await lab.startApp(bare.kind), await lab.startApp(scenario.kind)] as const;
    try {
      results.push(await measurePairs(lab, plan, bare, scenario, apps));
    } finally {
      await lab.load.do({ do: 'close' });
      await Promise.all(apps.map((app) => app.stop()));
    }
  }
  return results;
}

async function measurePairs(
  lab: Lab,
  plan: Plan,
  bare: Scenario,
  scenario: Scenario,
  [first, second]: readonly [AppProcess, AppProcess],
): Promise<LatencyResult> {
  const warmUp = (app: AppProcess, { shape }: Scenario) =>
    measureSlice(lab, [app], plan.connections, { do: 'saturate', shape, durationMs: plan.warmUpMs });
  await warmUp(first, bare);
  await warmUp(second, scenario);
  const { pairs } = await lab.load.do({
    do: 'pairs',
    sides: [
      { port: first.port, shape: bare.shape },
      { port: second.port, shape: scenario.shape },
    ],
    durationMs: plan.pairsMs,
    rate: plan.pairsPerSecond,
  });
  return { name: scenario.name, title: scenario.title, rate: plan.pairsPerSecond, ...latencyOf(pairs) };
}

function latencyOf(pairs: readonly Pair[]): Pick<LatencyResult, 'pairs' | 'p50Ms' | 'addedP50Ms' | 'addedP99Ms'> {
  return {
    pairs: pairs.length,
    p50Ms: median(pairs.map(([, second]) => second)),
    addedP50Ms: summarise(pairs.map(([first, second]) => second - first)),
    addedP99Ms: addedQuantile(pairs, 0.99),
  };
}
