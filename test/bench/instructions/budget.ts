import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What was recorded for one scenario on one major version of Node. */
export interface Recorded {
  readonly instructions: number;
  /** Instructions above bare Express in the same run. This difference depends less on the machine. */
  readonly ratio: number;
}

export interface Budget {
  /** How much a ratio may be above the recorded one, as a share of it. */
  readonly tolerance: number;
  readonly recorded: Readonly<Record<string, Readonly<Record<string, Recorded>>>>;
}

export type Verdict = 'within' | 'over' | 'better' | 'not recorded';

const FILE = join(import.meta.dirname, 'budget.json');
const RUNTIME = `node${process.versions.node.split('.')[0]}`;

export function readBudget(): Budget {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Budget;
}

export function recordedFor(budget: Budget, scenario: string, runtime = RUNTIME): Recorded | undefined {
  return budget.recorded[runtime]?.[scenario];
}

export function judge(budget: Budget, recorded: Recorded | undefined, ratio: number): Verdict {
  if (!recorded) return 'not recorded';
  if (ratio > recorded.ratio * (1 + budget.tolerance)) return 'over';
  return ratio < recorded.ratio * (1 - budget.tolerance) ? 'better' : 'within';
}

/** Replaces the values of these scenarios for the version of Node that runs. */
export function writeBudget(budget: Budget, measured: Readonly<Record<string, Recorded>>): void {
  const recorded = { ...budget.recorded, [RUNTIME]: { ...budget.recorded[RUNTIME], ...measured } };
  writeFileSync(FILE, `${JSON.stringify({ ...budget, recorded }, null, 2)}\n`);
}
