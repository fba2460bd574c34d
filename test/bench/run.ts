/** `npm run bench`: everything side by side in one run. See `options.ts` for what can be chosen. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { judgeNoise } from './judge-noise.js';
import { AGAINST, Lab } from './lab.js';
import { describeMachine } from './machine.js';
import { type Options, parseOptions, type SuiteName, USAGE } from './options.js';
import { drawCharts } from './report/charts.js';
import { writeDocument } from './report/document.js';
import { printResults } from './report/print.js';
import type { Results } from './results.js';
import { baselineOf, mainScenarios, type Scenario } from './scenarios.js';
import { runGrowth } from './suites/growth.js';
import { runHeapProfile } from './suites/heap-profile.js';
import { runLatency } from './suites/latency.js';
import { runMemory } from './suites/memory.js';
import { runProfiles } from './suites/profile.js';
import { runRoundTrips } from './suites/round-trips.js';
import { runSaturation } from './suites/saturation.js';
import { judge } from './targets.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const DOCS = join(PROJECT, 'docs', 'benchmarks');

function say(text: string): void {
  console.log(text);
}

/** The chosen scenarios, their baselines, and their counterparts of the other build. */
function choose(all: readonly Scenario[], { only, against }: Options): Scenario[] {
  const named = all.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
  const baselines = new Set(['bare', ...named.map(baselineOf)]);
  return all
    .filter((scenario) => named.includes(scenario) || baselines.has(scenario.name))
    .flatMap((scenario) => {
      if (against === undefined || !/^(valkey|memory)/.test(scenario.kind)) return [scenario];
      const { name, kind, title } = scenario;
      return [scenario, { ...scenario, name: name + AGAINST, kind: kind + AGAINST, title: `${title} (against)` }];
    });
}

async function measure(lab: Lab, options: Options): Promise<Results> {
  const startedMs = performance.now();
  const { plan } = options;
  const scenarios = choose(mainScenarios(await lab.refill()), options);
  const wants = (suite: SuiteName): boolean => options.suites.includes(suite);
  const narrowed = options.only.length > 0 || options.against !== undefined;
  const { results: saturation, foreign } = wants('saturation')
    ? await runSaturation(lab, plan, scenarios, say)
    : { results: [], foreign: [] };
  const measured = {
    saturation,
    latency: wants('latency') ? await runLatency(lab, plan, scenarios, say) : [],
    growth: wants('growth') && !narrowed ? await runGrowth(lab, plan, say) : [],
    memory: wants('memory') && !narrowed ? await runMemory(lab, plan, say) : undefined,
    roundTrips: wants('round-trips') ? await runRoundTrips(lab, scenarios, say) : [],
  };
  return {
    at: new Date().toISOString(),
    command: ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' '),
    quick: options.quick,
    minutes: (performance.now() - startedMs) / 60_000,
    machine: describeMachine(lab.valkey.version, lab.cores.app !== undefined),
    noise: judgeNoise(foreign, saturation),
    ...measured,
    targets: judge(measured),
  };
}

/** `results.json` and charts in `folder`, the document beside it. */
function write(results: Results, folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  for (const [name, svg] of drawCharts(results)) writeFileSync(join(folder, name), svg);
  writeFileSync(join(dirname(folder), 'benchmarks.md'), writeDocument(results));
  say(`\nWritten: ${folder} and ${join(dirname(folder), 'benchmarks.md')}`);
}

async function main(): Promise<number> {
  if (process.argv.includes('--help')) {
    say(USAGE);
    return 0;
  }
  const options = parseOptions(process.argv.slice(2), DOCS);
  if (options.render) {
    write(JSON.parse(readFileSync(join(options.out, 'results.json'), 'utf8')) as Results, options.out);
    return 0;
  }
  if (options.build && options.dist === undefined)
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: PROJECT, stdio: 'inherit' });
  const lab = await Lab.open({ own: options.dist ?? join(PROJECT, 'dist'), against: options.against });
  try {
    if (options.profile) {
      await runProfiles(lab, options.plan, choose(mainScenarios(await lab.refill()), options), say);
      await runHeapProfile(lab, options.plan, say);
      return 0;
    }
    const results = await measure(lab, options);
    say(printResults(results));
    write(results, options.out);
    return options.assert && results.targets.some(({ met }) => !met) ? 1 : 0;
  } finally {
    await lab.close();
  }
}

process.exitCode = await main();
