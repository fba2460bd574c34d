import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasProgram, lastCountIn, STEADY, VALGRIND } from '../instructions/counters.js';
import type { Lab } from '../lab.js';
import { LoadProcess } from '../load-process.js';
import type { Plan } from '../options.js';
import type { InstructionResult } from '../results.js';
import type { Scenario } from '../scenarios.js';
import { summarise } from '../statistics.js';

/** Connections, each with one request in flight. */
const TOGETHER = 16;

/**
 * The user-space instructions of one request, over real HTTP and a real Valkey. The app runs under valgrind, and the load
 * comes from another process. The figure is the difference of two counts, so the start of the process is not in it.
 */
export async function runInstructions(
  lab: Lab,
  plan: Plan,
  scenarios: readonly Scenario[],
  say: (text: string) => void,
): Promise<InstructionResult[]> {
  if (!hasProgram('valgrind')) {
    say('instructions: valgrind is not installed, so they are not counted');
    return [];
  }
  await lab.refill();
  const kinds = [...new Set(scenarios.map(({ kind }) => kind))];
  const results: InstructionResult[] = [];
  const work = async (core: number | undefined): Promise<void> => {
    for (let kind = kinds.shift(); kind !== undefined; kind = kinds.shift()) {
      say(`instructions: ${kind}`);
      const own = scenarios.filter((scenario) => scenario.kind === kind);
      results.push(...(await countKind(lab, plan, core, kind, own)));
    }
  };
  await Promise.all([work(lab.cores.app), work(lab.cores.rest)]);
  return scenarios.flatMap(({ name }) => results.filter((result) => result.name === name));
}

/** All scenarios of one process. */
async function countKind(
  lab: Lab,
  plan: Plan,
  core: number | undefined,
  kind: string,
  scenarios: readonly Scenario[],
): Promise<InstructionResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'apl-instructions-'));
  const log = join(folder, 'log');
  const under = ['valgrind', ...VALGRIND, `--log-file=${log}`];
  const app = await lab.startApp(kind, { core, under, nodeArgs: [...STEADY, '--random-seed=1'] });
  const load = await LoadProcess.start(lab.cores.rest);
  const countSoFar = async (): Promise<number> => {
    await app.ask('checkpoint');
    return lastCountIn(readFileSync(log, 'utf8'));
  };
  try {
    await load.do({ do: 'open', ports: [app.port], connections: TOGETHER });
    const results: InstructionResult[] = [];
    for (const { name, title, shape } of scenarios) {
      const send = (groups: number) => load.do({ do: 'count', shape, requests: groups * TOGETHER });
      // most of the code of the other scenarios is compiled by then
      await send(Math.ceil(plan.instructionWarmUp / (results.length === 0 ? 1 : 2)));
      const parts: number[] = [];
      let before = await countSoFar();
      for (let part = 0; part < plan.instructionParts; part++) {
        await send(plan.instructionGroups);
        const after = await countSoFar();
        parts.push((after - before) / plan.instructionGroups / TOGETHER);
        before = after;
      }
      // something is still compiled in the first part
      results.push({ name, title, instructions: summarise(parts.slice(1)) });
    }
    return results;
  } finally {
    await Promise.all([app.stop(), load.stop()]);
    rmSync(folder, { recursive: true });
  }
}
