import type { Lab } from '../lab.js';
import type { RequestShape } from '../load/request-source.js';
import type { Plan } from '../options.js';
import type { GrowthResult } from '../results.js';
import { POOL, POOL_LABELS, POOL_SESSIONS } from '../scenarios.js';
import { measureSlice } from '../slice.js';
import { summarise } from '../statistics.js';

const LABELS = [1, 10, 100, 1_000];
const BODIES = [1_024, 65_536, 1_048_576];
const CHUNKS = [1, 16, 256];
const LABEL_SESSIONS = 100;
/** Large answers fill the socket's buffers long before 64 of them are under way. */
const LARGE_CONNECTIONS = 16;

interface Line {
  readonly name: string;
  readonly title: string;
  readonly kind: string;
}

interface Series {
  readonly of: string;
  readonly sizes: readonly number[];
  readonly lines: readonly Line[];
  readonly shapeOf: (line: Line, size: number) => RequestShape;
  readonly prepare?: (size: number) => Promise<unknown>;
  readonly processesOf?: (size: number) => number;
  readonly connections?: number;
}

const BARE: Line = { name: 'bare', title: 'bare Express', kind: 'bare' };
const CLEAN: Line = { name: 'valkey-clean', title: 'this package, Valkey, clean', kind: 'valkey' };
const TAINT: Line = { name: 'valkey-taint', title: 'this package, Valkey, tainting', kind: 'valkey' };
const FLOOR_CLEAN: Line = { name: 'floor-clean', title: 'floor, clean', kind: 'floor' };
const FLOOR_TAINT: Line = { name: 'floor-taint', title: 'floor, tainting', kind: 'floor' };

/** What a request costs as something grows: labels, sessions, bodies, streams, processes. */
export async function runGrowth(lab: Lab, plan: Plan, say: (text: string) => void): Promise<GrowthResult[]> {
  const results: GrowthResult[] = [];
  for (const series of seriesOf(lab, plan)) {
    say(`growth of ${series.of}: ${series.sizes.join(', ')}`);
    results.push(...(await measureSeries(lab, plan, series)));
  }
  await lab.stopApps();
  return results;
}

function seriesOf(lab: Lab, plan: Plan): Series[] {
  const pool = (path: string, name = POOL, sessions = POOL_SESSIONS): RequestShape => ({
    path,
    session: 'pool',
    pool: name,
    sessions,
  });
  const writing = ({ kind, name }: Line, path: string): RequestShape =>
    name.endsWith('-taint') ? { path: `/taint-${path}`, session: 'fresh' } : pool(`/${path}`, kind);
  return [
    {
      of: 'labels of the session',
      sizes: LABELS,
      lines: [CLEAN, FLOOR_CLEAN],
      prepare: (size) => lab.valkey.fillSessions(`labels${size}`, LABEL_SESSIONS, labelsOf(size), 'both'),
      shapeOf: (_line, size) => pool('/clean', `labels${size}`, LABEL_SESSIONS),
    },
    {
      of: 'sessions in Valkey',
      sizes: plan.sessions,
      lines: [CLEAN],
      prepare: (size) => lab.valkey.fillSessions('many', size, POOL_LABELS, 'ours'),
      shapeOf: (_line, size) => pool('/clean', 'many', size),
    },
    {
      of: 'bytes of the body',
      sizes: BODIES,
      lines: [BARE, CLEAN, TAINT, FLOOR_TAINT],
      shapeOf: (line, size) => writing(line, `body/${size}`),
      connections: LARGE_CONNECTIONS,
    },
    {
      of: 'chunks of a stream',
      sizes: CHUNKS,
      lines: [BARE, CLEAN, TAINT, FLOOR_TAINT],
      shapeOf: (line, size) => writing(line, `stream/${size}`),
      connections: LARGE_CONNECTIONS,
    },
    {
      of: 'app processes',
      sizes: [1, 2],
      lines: [BARE, CLEAN, TAINT],
      shapeOf: ({ name }) => (name === TAINT.name ? { path: '/taint', session: 'fresh' } : pool('/clean')),
      processesOf: (size) => size,
    },
  ];
}

async function measureSeries(lab: Lab, plan: Plan, series: Series): Promise<GrowthResult[]> {
  await lab.refill();
  const costs = new Map<string, number[]>();
  const measure = async (line: Line, size: number, durationMs: number): Promise<number> => {
    const count = series.processesOf?.(size) ?? 1;
    const apps = [];
    for (let n = 0; n < count; n++) apps.push(await lab.app(line.kind, n));
    const step = { do: 'saturate', shape: series.shapeOf(line, size), durationMs } as const;
    return (await measureSlice(lab, apps, series.connections ?? plan.connections, step)).cpuMicrosPerRequest;
  };
  // sessions must not be there before their size is measured, so sizes are the outer loop
  for (const size of series.sizes) {
    await series.prepare?.(size);
    for (const line of series.lines) await measure(line, size, plan.warmUpMs / 2);
    for (let round = 0; round < plan.growthRounds; round++) {
      for (const line of series.lines) {
        const key = `${line.name} ${size}`;
        costs.set(key, [...(costs.get(key) ?? []), await measure(line, size, plan.growthMs)]);
      }
    }
  }
  return series.lines.map(({ name, title }) => ({
    of: series.of,
    name,
    title,
    points: series.sizes.map((size) => ({ size, cpuMicros: summarise(costs.get(`${name} ${size}`) ?? []) })),
  }));
}

function labelsOf(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `label-${n}`);
}
