import type { Lab } from '../lab.js';
import type { Plan } from '../options.js';
import type { ScenarioResult } from '../results.js';
import { baselineOf, type Scenario } from '../scenarios.js';
import { measureSlice, type Slice } from '../slice.js';
import { median, paired, quantile, summarise } from '../statistics.js';

const QUIET = 0.1;

export interface SaturationRun {
  readonly results: readonly ScenarioResult[];
  readonly foreign: readonly number[];
}

/**
 * Every scenario in every round, the rounds in alternating order, the processes started anew between some of them: as
 * many requests as 64 connections can have under way.
 */
export async function runSaturation(
  lab: Lab,
  plan: Plan,
  scenarios: readonly Scenario[],
  say: (text: string) => void,
): Promise<SaturationRun> {
  const slices = new Map<string, Slice[]>(scenarios.map(({ name }) => [name, []]));
  for (let generation = 1; generation <= plan.generations; generation++) {
    await lab.refill();
    for (const scenario of scenarios) await saturate(lab, scenario, plan.connections, plan.warmUpMs);
    for (let round = 1; round <= plan.roundsPerGeneration; round++) {
      say(`saturation: start ${generation} of ${plan.generations}, round ${round} of ${plan.roundsPerGeneration}`);
      await lab.refill();
      const order = round % 2 === 1 ? scenarios : scenarios.toReversed();
      for (const scenario of order) {
        slices.get(scenario.name)?.push(await saturate(lab, scenario, plan.connections, plan.sliceMs));
      }
    }
    await lab.stopApps();
  }
  return {
    results: scenarios.map((scenario) => resultOf(scenario, slices)),
    foreign: [...slices.values()].flat().map(({ foreign }) => foreign),
  };
}

export async function saturate(lab: Lab, scenario: Scenario, connections: number, durationMs: number): Promise<Slice> {
  const app = await lab.app(scenario.kind);
  return measureSlice(lab, [app], connections, { do: 'saturate', shape: scenario.shape, durationMs });
}

function resultOf(scenario: Scenario, slices: ReadonlyMap<string, readonly Slice[]>): ScenarioResult {
  const own = slices.get(scenario.name) ?? [];
  const base = slices.get(baselineOf(scenario)) ?? [];
  const rates = own.map(({ requestsPerSecond }) => requestsPerSecond);
  const costs = own.map(({ cpuMicrosPerRequest }) => cpuMicrosPerRequest);
  return {
    name: scenario.name,
    title: scenario.title,
    baseline: baselineOf(scenario),
    requestsPerSecond: summarise(rates),
    cpuMicros: summarise(costs),
    throughputRatio: paired(
      rates,
      base.map(({ requestsPerSecond }) => requestsPerSecond),
      (a, b) => a / b,
    ),
    addedCpuMicros: paired(
      costs,
      base.map(({ cpuMicrosPerRequest }) => cpuMicrosPerRequest),
      (a, b) => a - b,
    ),
    utilisation: median(own.map(({ utilisation }) => utilisation)),
    quiet: { requestsPerSecond: quantile(rates, 1 - QUIET), cpuMicros: quantile(costs, QUIET) },
    rounds: own.map(({ requestsPerSecond, cpuMicrosPerRequest }) => ({
      requestsPerSecond,
      cpuMicros: cpuMicrosPerRequest,
    })),
  };
}
