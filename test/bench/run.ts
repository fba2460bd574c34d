/** `npm run bench`: everything side by side in one run. See `options.ts` for what can be chosen. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Lab } from './lab.js';
import { describeMachine } from './machine.js';
import { type Options, parseOptions, type SuiteName, USAGE } from './options.js';
import { drawCharts } from './report/charts.js';
import { writeDocument } from './report/document.js';
import { printResults } from './report/print.js';
import { writeScalePage } from './report/scale-page.js';
import type { Results } from './results.js';
import { allScenarios, COMPARED, type Scenario, withName } from './scenarios.js';
import { runHeapProfile } from './suites/heap-profile.js';
import { runInstructions } from './suites/instructions.js';
import { runLatency } from './suites/latency.js';
import { runMemory } from './suites/memory.js';
import { runProfiles } from './suites/profile.js';
import { runRoundTrips } from './suites/round-trips.js';
import { runSaturation } from './suites/saturation.js';
import { runScale } from './suites/scale.js';
import { judge } from './targets.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const DOCS = join(PROJECT, 'docs', 'benchmarks');

function say(text: string): void {
  console.log(text);
}

/** The chosen scenarios, and bare Express. */
function choose(all: readonly Scenario[], { only }: Options): Scenario[] {
  return all.filter(({ name }) => name === 'bare' || only.length === 0 || only.some((part) => name.includes(part)));
}

async function measure(lab: Lab, options: Options): Promise<Results> {
  const startedMs = performance.now();
  const { plan } = options;
  const scenarios = choose(allScenarios(await lab.refill()), options);
  const wants = (suite: SuiteName): boolean => options.suites.includes(suite);
  const compared = withName(scenarios, ['bare', ...COMPARED]);
  const { results: saturation, ...rest } = wants('saturation')
    ? await runSaturation(lab, plan, scenarios, say)
    : { results: [], comparisons: [], foreign: 0 };
  const measured = {
    ...rest,
    saturation,
    latency: wants('latency') ? await runLatency(lab, plan, compared, say) : [],
    scale: wants('scale') ? await runScale(lab, plan, scenarios, say) : undefined,
    memory: wants('memory') ? await runMemory(lab, plan, say) : undefined,
    roundTrips: wants('round-trips') ? await runRoundTrips(lab, scenarios, say) : [],
    instructions: wants('instructions') ? await runInstructions(lab, plan, compared, say) : [],
  };
  return {
    at: new Date().toISOString(),
    command: ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' '),
    quick: options.quick,
    minutes: (performance.now() - startedMs) / 60_000,
    machine: describeMachine(lab.valkey.version, lab.cores.app !== undefined),
    ...measured,
    targets: judge(measured),
  };
}

/** `results.json` and the chart in `folder`, the documents beside it. */
function write(results: Results, folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  for (const [name, svg] of drawCharts(results)) writeFileSync(join(folder, name), svg);
  writeFileSync(join(dirname(folder), 'benchmarks.md'), writeDocument(results));
  writeFileSync(join(dirname(folder), 'scale.md'), writeScalePage(results));
  say(`\nWritten: ${folder}, and benchmarks.md and scale.md beside it`);
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
  const lab = await Lab.open(options.dist ?? join(PROJECT, 'dist'));
  try {
    if (options.profile) {
      await runProfiles(lab, options.plan, choose(allScenarios(await lab.refill()), options), say);
      await runHeapProfile(lab, options.plan, say);
      return 0;
    }
    const results = await measure(lab, options);
    say(printResults(results));
    write(results, options.out);
    return options.assert && results.targets.some(({ verdict }) => verdict === 'missed') ? 1 : 0;
  } finally {
    await lab.close();
  }
}

process.exitCode = await main();
