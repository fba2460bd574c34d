import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { samplesOf } from './metrics-fixture.js';

/** What an alert must look like while it fires. */
export interface FiringAlert {
  readonly exp_labels: Readonly<Record<string, string>>;
  readonly exp_annotations: Readonly<Record<string, string>>;
}

export interface RuleTest {
  readonly name: string;
  readonly interval: string;
  readonly input_series: ReadonlyArray<{ readonly series: string; readonly values: string }>;
  readonly alert_rule_test: ReadonlyArray<{
    readonly eval_time: string;
    readonly alertname: string;
    readonly exp_alerts: readonly FiringAlert[];
  }>;
}

/** How often Prometheus reads the metrics in these tests. */
export const INTERVAL_SECONDS = 15;

export function promtool(
  args: readonly string[],
  input = '',
): { readonly status: number | null; readonly text: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { status, text: `${stdout ?? ''}${stderr ?? ''}${error ?? ''}` };
}

export function hasPromtool(): boolean {
  return promtool(['--version']).status === 0;
}

/** What `promtool check rules` finds wrong with these expressions; empty if all are valid. */
export function recordingFaults(rules: ReadonlyArray<{ readonly record: string; readonly expr: string }>): string {
  return withFile({ groups: [{ name: 'expressions', rules }] }, (file) => promtool(['check', 'rules', file]));
}

/** What `promtool test rules` finds wrong; empty if all alerts are as the tests say. */
export function ruleFaults(rules: string, tests: readonly RuleTest[]): string {
  const settings = { rule_files: [rules], evaluation_interval: `${INTERVAL_SECONDS}s`, tests };
  return withFile(settings, (file) => promtool(['test', 'rules', file]));
}

function withFile(content: object, run: (file: string) => ReturnType<typeof promtool>): string {
  const folder = mkdtempSync(join(tmpdir(), 'express-apl-session-rules-'));
  try {
    const file = join(folder, 'file.yml');
    // JSON is YAML
    writeFileSync(file, JSON.stringify(content));
    const { status, text } = run(file);
    return status === 0 ? '' : text;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One time in which all scrapes have this text. */
export interface Phase {
  readonly text: string;
  readonly minutes: number;
}

/** The series that Prometheus has after these phases, each of one process. */
export function seriesOf(phases: readonly Phase[]): RuleTest['input_series'] {
  const read = phases.map(({ text, minutes }) => ({
    samples: samplesOf(text),
    scrapes: (minutes * 60) / INTERVAL_SECONDS,
  }));
  const names = new Set(read.flatMap(({ samples }) => [...samples.keys()]));
  return [...names].map((name) => ({
    series: ofProcess(name),
    values: read
      .map(({ samples, scrapes }) => {
        const value = samples.get(name);
        return value === undefined ? `_x${scrapes}` : `${value}+0x${scrapes - 1}`;
      })
      .join(' '),
  }));
}

/** The series of a process that does the same again and again: what was counted between the two texts, at each scrape. */
export function repeatedSeries(before: string, after: string, minutes: number): RuleTest['input_series'] {
  const old = samplesOf(before);
  const scrapes = (minutes * 60) / INTERVAL_SECONDS;
  return [...samplesOf(after)].map(([name, value]) => {
    const isCounter = /_(?:total|bucket|sum|count)\b/.test(name);
    const begin = old.get(name) ?? 0;
    return {
      series: ofProcess(name),
      values: isCounter ? `${begin}+${value - begin}x${scrapes}` : `${value}+0x${scrapes}`,
    };
  });
}

function ofProcess(name: string): string {
  const process = 'job="app",instance="a:3000"';
  return name.endsWith('}') ? name.replace(/\}$/, `,${process}}`) : `${name}{${process}}`;
}
