import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export const SUITES = ['instructions', 'saturation', 'latency', 'scale', 'memory', 'round-trips'] as const;
export type SuiteName = (typeof SUITES)[number];

/** How long and how often. */
export interface Plan {
  /** Groups of 16 requests before those of the first scenario of a process that are counted; half for the others. */
  readonly instructionWarmUp: number;
  /** Groups in each counted part. */
  readonly instructionGroups: number;
  readonly instructionParts: number;
  /** How often the app processes are started anew; what the compiler made of them differs from one to the next. */
  readonly generations: number;
  readonly roundsPerGeneration: number;
  readonly warmUpMs: number;
  readonly sliceMs: number;
  readonly connections: number;
  readonly pairsPerSecond: number;
  readonly pairsMs: number;
  /** Requests for each number of labels. */
  readonly stallRequests: number;
  readonly processRounds: number;
  readonly processMs: number;
  readonly storedSessions: number;
  readonly heldResponses: number;
}

const FULL: Plan = {
  instructionWarmUp: 1_000,
  instructionGroups: 45,
  instructionParts: 12,
  generations: 4,
  roundsPerGeneration: 90,
  warmUpMs: 1_500,
  sliceMs: 40,
  connections: 64,
  pairsPerSecond: 250,
  pairsMs: 8_000,
  stallRequests: 40,
  processRounds: 8,
  processMs: 400,
  storedSessions: 50_000,
  heldResponses: 1_000,
};

const QUICK: Plan = {
  instructionWarmUp: 10,
  instructionGroups: 5,
  instructionParts: 3,
  generations: 1,
  roundsPerGeneration: 2,
  warmUpMs: 100,
  sliceMs: 40,
  connections: 64,
  pairsPerSecond: 250,
  pairsMs: 1_000,
  stallRequests: 3,
  processRounds: 2,
  processMs: 80,
  storedSessions: 2_000,
  heldResponses: 200,
};

export interface Options {
  readonly plan: Plan;
  readonly quick: boolean;
  readonly suites: readonly SuiteName[];
  /** Parts of scenario names; empty for all. */
  readonly only: readonly string[];
  /** The build that is measured; `undefined` for `dist/`. */
  readonly dist: string | undefined;
  readonly out: string;
  readonly assert: boolean;
  readonly profile: boolean;
  readonly render: boolean;
  readonly build: boolean;
}

export const USAGE = `npm run bench -- [options]
  --quick            a short run, to see that everything works; its figures show nothing, and docs/ stays as it is
  --suite NAMES      some of: ${SUITES.join(', ')}
  --only NAMES       scenarios whose name holds one of these (bare Express is always there)
  --rounds N         rounds for each start of the processes
  --slice MS         how long one measurement takes
  --starts N         how often the processes are started anew
  --dist DIST        the build to measure, instead of dist/
  --out FOLDER       where results go; default docs/benchmarks for a full run, else a temporary folder
  --assert           exit code 1 if a target is missed
  --profile          no comparison: CPU profiles of single scenarios, and a heap profile of held responses
  --render           no measuring: write the documents and the chart again from docs/benchmarks/results.json
  --no-build         take dist/ as it is`;

export function parseOptions(args: readonly string[], docs: string): Options {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      quick: { type: 'boolean', default: false },
      suite: { type: 'string' },
      only: { type: 'string' },
      rounds: { type: 'string' },
      starts: { type: 'string' },
      slice: { type: 'string' },
      dist: { type: 'string' },
      out: { type: 'string' },
      assert: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      render: { type: 'boolean', default: false },
      build: { type: 'boolean', default: true },
    },
  });
  const base = values.quick ? QUICK : FULL;
  const plan: Plan = {
    ...base,
    generations: count('starts', values.starts) ?? base.generations,
    roundsPerGeneration: count('rounds', values.rounds) ?? base.roundsPerGeneration,
    sliceMs: count('slice', values.slice) ?? base.sliceMs,
  };
  const complete = !values.quick && !values.suite && !values.only && !values.dist;
  return {
    plan,
    quick: values.quick,
    suites: values.suite === undefined ? SUITES : list(values.suite).map(suiteName),
    only: list(values.only),
    dist: values.dist === undefined ? undefined : resolve(values.dist),
    out:
      values.out === undefined ? (complete ? docs : resolve(tmpdir(), 'apl-bench', 'benchmarks')) : resolve(values.out),
    assert: values.assert,
    profile: values.profile,
    render: values.render,
    build: values.build,
  };
}

function list(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(',').filter((part) => part !== '');
}

function suiteName(name: string): SuiteName {
  const suite = SUITES.find((candidate) => candidate === name);
  if (suite === undefined) throw new Error(`There is no suite '${name}'.\n${USAGE}`);
  return suite;
}

function count(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} must be a positive integer.\n${USAGE}`);
}
