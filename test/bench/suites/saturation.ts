import type { Lab } from '../lab.js';
import type { Plan } from '../options.js';
import type { Comparison, SaturationResult } from '../results.js';
import { GROUPS, type Scenario, withName } from '../scenarios.js';
import { measureSlice, type Slice } from '../slice.js';
import { median, paired, summarise } from '../statistics.js';

export interface SaturationRun {
  readonly results: readonly SaturationResult[];
  readonly comparisons: readonly Comparison[];
  readonly foreign: number;
}

type Slices = ReadonlyMap<string, readonly Slice[]>;

/**
 * As many requests as 64 connections can have in flight. The scenarios of a group are measured directly one after the
 * other, in alternating order, so that a disturbance of the machine is in all of them.
 */
export async function runSaturation(
  lab: Lab,
  plan: Plan,
  scenarios: readonly Scenario[],
  say: (text: string) => void,
): Promise<SaturationRun> {
  const groups = GROUPS.map((names) => withName(scenarios, names)).filter((group) => group.length > 0);
  const measured = groups.map((group) => new Map(withBare(scenarios, group).map(({ name }) => [name, [] as Slice[]])));
  for (let generation = 1; generation <= plan.generations; generation++) {
    await lab.refill();
    for (const scenario of scenarios) await saturate(lab, scenario, plan.connections, plan.warmUpMs);
    for (const [index, group] of groups.entries()) {
      const members = withBare(scenarios, group);
      say(`saturation: start ${generation} of ${plan.generations}, ${members.map(({ name }) => name).join(', ')}`);
      await lab.refill();
      for (let round = 0; round < plan.roundsPerGeneration; round++) {
        for (const scenario of round % 2 === 0 ? members : members.toReversed()) {
          measured[index]?.get(scenario.name)?.push(await saturate(lab, scenario, plan.connections, plan.sliceMs));
        }
      }
    }
    await lab.stopApps();
  }
  const foreign = measured.flatMap((slices) => [...slices.values()].flat()).map((slice) => slice.foreign);
  return {
    results: groups.flatMap((group, index) =>
      group.map((scenario) => resultOf(scenario, measured[index] ?? new Map())),
    ),
    comparisons: groups.flatMap((group, index) => compareAll(group, measured[index] ?? new Map())),
    foreign: foreign.length === 0 ? 0 : median(foreign),
  };
}

function withBare(scenarios: readonly Scenario[], group: readonly Scenario[]): Scenario[] {
  return [...withName(scenarios, ['bare']), ...group];
}

export async function saturate(lab: Lab, scenario: Scenario, connections: number, durationMs: number): Promise<Slice> {
  const app = await lab.app(scenario.kind);
  return measureSlice(lab, [app], connections, { do: 'saturate', shape: scenario.shape, durationMs });
}

const ratesOf = (slices: Slices, name: string): number[] =>
  (slices.get(name) ?? []).map(({ requestsPerSecond }) => requestsPerSecond);
const costsOf = (slices: Slices, name: string): number[] =>
  (slices.get(name) ?? []).map(({ cpuMicrosPerRequest }) => cpuMicrosPerRequest);

function addedOf(slices: Slices, name: string): number[] {
  const bare = costsOf(slices, 'bare');
  return costsOf(slices, name).map((cost, round) => cost - (bare[round] ?? Number.NaN));
}

function resultOf({ name, title }: Scenario, slices: Slices): SaturationResult {
  return {
    name,
    title,
    requestsPerSecond: summarise(ratesOf(slices, name)),
    cpuMicros: summarise(costsOf(slices, name)),
    throughputRatio: paired(ratesOf(slices, name), ratesOf(slices, 'bare'), (a, b) => a / b),
    addedCpuMicros: summarise(addedOf(slices, name)),
    utilisation: median((slices.get(name) ?? []).map(({ utilisation }) => utilisation)),
  };
}

/** Each of our scenarios against each other one of its group. */
function compareAll(group: readonly Scenario[], slices: Slices): Comparison[] {
  const isOurs = ({ kind }: Scenario): boolean => /^(valkey|memory)/.test(kind);
  return group.filter(isOurs).flatMap(({ name: own }) =>
    group
      .filter((scenario) => !isOurs(scenario))
      .map(({ name: other }) => ({
        own,
        other,
        throughput: paired(ratesOf(slices, own), ratesOf(slices, other), (a, b) => a / b),
        addedCpu: paired(addedOf(slices, own), addedOf(slices, other), (a, b) => a / b),
      })),
  );
}
