import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lab } from '../lab.js';
import type { Plan } from '../options.js';
import type { Scenario } from '../scenarios.js';
import { saturate } from './saturation.js';

/** A CPU profile as V8 writes it. */
interface CpuProfile {
  readonly nodes: ReadonlyArray<{
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }>;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const PROFILED = ['bare', 'valkey-clean', 'valkey-taint', 'valkey-write-ahead', 'floor-clean', 'floor-taint'];
const TOP = 25;
const PROFILE_MS = 2_000;

/** Writes a profile of each scenario to a temporary folder and says where its time goes. */
export async function runProfiles(
  lab: Lab,
  plan: Plan,
  scenarios: readonly Scenario[],
  say: (text: string) => void,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'apl-bench-profiles-'));
  for (const scenario of scenarios.filter(({ name }) => PROFILED.some((known) => name.startsWith(known)))) {
    await lab.refill();
    const app = await lab.app(scenario.kind);
    await saturate(lab, scenario, plan.connections, plan.warmUpMs * 2);
    await app.ask('profile-start');
    await saturate(lab, scenario, plan.connections, PROFILE_MS);
    const profile = (await app.ask('profile-stop')) as CpuProfile;
    const file = join(folder, `${scenario.name}.cpuprofile`);
    writeFileSync(file, JSON.stringify(profile));
    await lab.stopApps();
    say(`\n${scenario.title}: ${file}\n${topOf(profile).join('\n')}`);
  }
}

/** The functions with the most time of their own, as shares of the time that the process was not idle. */
function topOf(profile: CpuProfile): string[] {
  const selfMicros = new Map<string, number>();
  const nameOf = new Map(profile.nodes.map(({ id, callFrame }) => [id, describe(callFrame)]));
  profile.samples.forEach((id, index) => {
    const name = nameOf.get(id) ?? '?';
    selfMicros.set(name, (selfMicros.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
  });
  // `dispatch` is the profiler itself
  for (const name of ['(idle)', 'dispatch']) selfMicros.delete(name);
  const total = [...selfMicros.values()].reduce((sum, micros) => sum + micros, 0);
  return [...selfMicros]
    .sort(([, a], [, b]) => b - a)
    .slice(0, TOP)
    .map(([name, micros]) => `${((100 * micros) / total).toFixed(1).padStart(6)} %  ${name}`);
}

function describe({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const file = url.replace(/^.*\/(node_modules|dist)\//, '$1/').replace(/^node:/, 'node:');
  return file === '' ? functionName : `${functionName || '(anonymous)'}  ${file}:${lineNumber + 1}`;
}
