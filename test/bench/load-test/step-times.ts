import { type ChannelListener, subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { AppendEvent, HoldEvent, LoadEvent } from '../../../lib/index.js';

type Step = 'load' | 'append' | 'hold';
const STEPS: readonly Step[] = ['load', 'append', 'hold'];
const MIB = 1_048_576;

/** How long loads, appends and holds took, from the events of the package. */
export class StepTimes {
  readonly durationsMs: Readonly<Record<Step, number[]>> = { load: [], append: [], hold: [] };
  failures = 0;
  readonly #listeners = STEPS.map((step) => {
    const listener: ChannelListener = (message) => this.#note(step, message as LoadEvent | AppendEvent | HoldEvent);
    subscribe(`express-apl-session:${step}`, listener);
    return { step, listener };
  });

  #note(step: Step, { outcome, durationMs }: LoadEvent | AppendEvent | HoldEvent): void {
    if (outcome === 'held') return;
    if (outcome === 'failed') this.failures += 1;
    this.durationsMs[step].push(durationMs);
  }

  close(): void {
    for (const { step, listener } of this.#listeners) unsubscribe(`express-apl-session:${step}`, listener);
  }
}

interface Generated {
  readonly requests: number;
  readonly seconds: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly latenciesMs: readonly number[];
}

/** The result as a table of Markdown. */
export function table(
  { requests, seconds, statuses, latenciesMs }: Generated,
  times: StepTimes,
  cpuSeconds: number,
): string {
  const { load, append, hold } = times.durationsMs;
  const others = Object.entries(statuses).filter(([status]) => status !== '200' && status !== '403');
  const rows: ReadonlyArray<readonly [string, string]> = [
    ['Requests', `${requests}, ${(requests / seconds).toFixed(0)}/s`],
    [
      'Answers',
      `200: ${statuses['200'] ?? 0}, 403: ${statuses['403'] ?? 0}${others.map(([status, n]) => `, ${status}: ${n}`).join('')}`,
    ],
    ['Failed loads and appends', `${times.failures}`],
    ['Time of a request, p50 and p99', percentiles(latenciesMs)],
    ['Load', percentiles(load)],
    ['Append', percentiles(append)],
    ['Hold', percentiles(hold)],
    ['CPU of the process', `${((cpuSeconds / seconds) * 100).toFixed(0)} % of a core`],
    ['Memory of the process', `${(process.memoryUsage.rss() / MIB).toFixed(0)} MiB`],
  ];
  return ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');
}

function percentiles(valuesMs: readonly number[]): string {
  if (valuesMs.length === 0) return 'none';
  const sorted = valuesMs.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] as number).toFixed(2);
  return `${at(0.5)} ms, ${at(0.99)} ms (${valuesMs.length})`;
}
