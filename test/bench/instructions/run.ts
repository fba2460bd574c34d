/**
 * `npm run bench:instructions`: the instructions, kernel calls and bytes of the heap that one request takes. These do not
 * depend on what else the machine does. Fails if a scenario takes more than its budget in budget.json.
 */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { binaryServer } from '../../support/valkey-servers.js';
import { type Budget, judge, type Recorded, readBudget, recordedFor, type Verdict, writeBudget } from './budget.js';
import { assertValgrind, bytesOf, hasProgram, instructionsOf, kernelCallsOf, missesOf } from './counters.js';

const BARE = 'bare';
const SCENARIOS = [
  BARE,
  ...['everything clean', 'everything tainting', 'sdk clean', 'sdk tainting'],
  ...['metrics clean', 'metrics tainting', 'traces clean', 'traces tainting'],
  ...['no session', 'stub clean', 'stub tainting', 'memory clean', 'memory tainting', 'context', 'held stream'],
];
const MAX_STARTS = 3;
const WITH_VALKEY = ['valkey clean', 'valkey tainting'];

const USAGE = `npm run bench:instructions -- [options]
  --dist FOLDER    the build to measure; default: builds dist/
  --only NAMES     scenarios whose name holds one of these (bare Express is always there)
  --starts N       how often each scenario is measured, each time with other random numbers; the best counts (default 1).
                   One that is over its budget is measured up to three times, because the compiler does not do the same each time
  --jobs N         how many processes run at the same time (default 2)
  --record         write the values to test/bench/instructions/budget.json, which is the budget of later runs`;

const { values: options } = parseArgs({
  options: {
    dist: { type: 'string' },
    only: { type: 'string', default: '' },
    starts: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '2' },
    record: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const isChosen = (name: string): boolean => options.only.split(',').some((part) => name.includes(part));
const scenarios = SCENARIOS.filter((name) => name === BARE || isChosen(name));
const dist = resolve(options.dist ?? 'dist');

/** Runs the tasks, `--jobs` of them at a time. */
async function inParallel(tasks: ReadonlyArray<() => Promise<void>>): Promise<void> {
  const waiting = [...tasks];
  const work = async (): Promise<void> => {
    for (let task = waiting.shift(); task; task = waiting.shift()) await task();
  };
  await Promise.all(Array.from({ length: Number(options.jobs) }, work));
}

type Counts = Map<string, number>;

/** The starts of a scenario are apart in time. */
async function countInstructions(counts: Counts, names: readonly string[], seeds: readonly number[]): Promise<void> {
  await inParallel(
    seeds.flatMap((seed) =>
      names.map((name) => async () => {
        const count = await instructionsOf(name, dist, seed);
        counts.set(name, Math.min(counts.get(name) ?? Number.POSITIVE_INFINITY, count));
      }),
    ),
  );
}

const ratioOf = (counts: Counts, name: string): number =>
  Number(((counts.get(name) as number) / (counts.get(BARE) as number)).toFixed(4));

/** Measures the scenarios again that are over their budget. */
async function countOnceMore(counts: Counts, budget: Budget, seed: number): Promise<void> {
  const over = scenarios.filter((name) => judge(budget, recordedFor(budget, name), ratioOf(counts, name)) === 'over');
  await countInstructions(counts, over, [seed]);
}

const percent = (ratio: number): string => `${ratio < 1 ? '' : '+'}${((ratio - 1) * 100).toFixed(1)} %`;
const line = (...cells: string[]): string =>
  `${cells[0]?.padEnd(21)}${cells
    .slice(1)
    .map((cell) => cell.padStart(14))
    .join('')}`;

const REMARKS: Readonly<Record<Verdict, string>> = {
  within: '',
  over: 'OVER THE BUDGET',
  better: 'better: --record it',
  'not recorded': 'no budget',
};

async function reportInstructions(): Promise<boolean> {
  const counts: Counts = new Map();
  const budget = readBudget();
  const starts = Number(options.starts);
  await countInstructions(
    counts,
    scenarios,
    Array.from({ length: starts }, (_, n) => n + 1),
  );
  for (let seed = starts + 1; !options.record && seed <= MAX_STARTS; seed++) await countOnceMore(counts, budget, seed);
  const measured: Record<string, Recorded> = {};
  let isWithin = true;
  console.log(line('instructions', 'per request', 'recorded', 'over bare', 'recorded'));
  for (const name of scenarios) {
    const instructions = Math.round(counts.get(name) as number);
    const ratio = ratioOf(counts, name);
    const old = recordedFor(budget, name);
    const verdict = judge(budget, old, ratio);
    measured[name] = { instructions, ratio };
    if (verdict === 'over') isWithin = false;
    const oldCells = [old ? String(old.instructions) : '-', percent(ratio), old ? percent(old.ratio) : '-'];
    console.log(`${line(name, String(instructions), ...oldCells)}  ${REMARKS[verdict]}`.trimEnd());
  }
  if (options.record) writeBudget(budget, measured);
  return isWithin || options.record;
}

async function reportInside(): Promise<void> {
  console.log(`\n${line('inside V8', 'heap bytes', 'over bare', 'cache misses', 'over bare')}`);
  let bare = { bytes: 0, misses: 0 };
  for (const name of scenarios) {
    const bytes = await bytesOf(name, dist);
    const misses = await missesOf(name, dist);
    if (name === BARE) bare = { bytes, misses };
    const added = [String(bytes - bare.bytes), misses.toFixed(1), (misses - bare.misses).toFixed(1)];
    console.log(line(name, String(bytes), ...added));
  }
}

async function reportKernelCalls(): Promise<void> {
  if (!hasProgram('strace')) {
    console.log('\nstrace is not installed, so the kernel calls were not counted.');
    return;
  }
  console.log(`\n${line('kernel calls', 'reads', 'writes', 'epoll', 'others')}`);
  const report = async (name: string, valkeyUrl?: string): Promise<void> => {
    const { read, write, epoll, other } = await kernelCallsOf(name, dist, valkeyUrl);
    console.log(line(name, ...[read, write, epoll, other].map((calls) => calls.toFixed(2))));
  };
  for (const name of scenarios) await report(name);
  const withValkey = WITH_VALKEY.filter(isChosen);
  if (withValkey.length === 0) return;
  if (!hasProgram('valkey-server')) {
    console.log('valkey-server is not installed, so the scenarios with Valkey were left out.');
    return;
  }
  const valkey = await binaryServer();
  try {
    for (const name of withValkey) await report(name, valkey.url);
  } finally {
    await valkey.close();
  }
}

async function main(): Promise<void> {
  if (options.help) {
    console.log(USAGE);
    return;
  }
  assertValgrind();
  if (!options.dist) execFileSync(process.execPath, ['build.mjs'], { stdio: 'inherit' });
  if (!(await reportInstructions())) process.exitCode = 1;
  await reportInside();
  await reportKernelCalls();
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
