/**
 * `npm run bench:durability`: appends per second of one process with each `durability`, and loads with fenced reads, on a
 * primary with two replicas. Prints the table of docs/high-availability.md.
 */
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../lib/valkey.js';
import { eventually } from '../support/eventually.js';
import { openValkeyGroup, type ValkeyGroup, type ValkeyNode } from '../support/valkey-group.js';

type Durability = ValkeySessionStoreOptions['durability'];

interface Row {
  readonly title: string;
  readonly durability?: Durability;
  readonly appendfsync: 'everysec' | 'always';
}

const ROWS: readonly Row[] = [
  { title: 'none, `appendfsync everysec`', appendfsync: 'everysec' },
  { title: "`local: 'synced'`", durability: { local: 'synced' }, appendfsync: 'always' },
  { title: '`replicas: 1`', durability: { replicas: 1 }, appendfsync: 'everysec' },
  { title: '`replicas: 2`', durability: { replicas: 2 }, appendfsync: 'everysec' },
  {
    title: "`local: 'synced', replicas: 2, fencedReads: true`",
    durability: { local: 'synced', replicas: 2, fencedReads: true },
    appendfsync: 'always',
  },
];
const CONCURRENCIES = [1, 16, 64] as const;
const MEASURE_MS = 2_000;
const WARM_UP_MS = 300;

/** Calls per second with so many calls in flight. */
async function rateOf(concurrency: number, call: (n: number) => Promise<unknown>): Promise<number> {
  let n = 0;
  let counted = 0;
  const startedMs = performance.now();
  const loop = async (): Promise<void> => {
    for (;;) {
      const elapsedMs = performance.now() - startedMs;
      if (elapsedMs >= WARM_UP_MS + MEASURE_MS) return;
      n += 1;
      await call(n);
      if (elapsedMs >= WARM_UP_MS) counted += 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  return counted / (MEASURE_MS / 1_000);
}

async function start(group: ValkeyGroup): Promise<ValkeyNode> {
  const primary = await group.start('--save', '', '--appendonly', 'yes');
  for (let replica = 0; replica < 2; replica += 1) {
    await group.start('--save', '', '--replicaof', `127.0.0.1 ${primary.port}`);
  }
  const areOnline = async (): Promise<boolean> =>
    ((await primary.admin.info('replication')).match(/state=online/g) ?? []).length === 2;
  await eventually(areOnline, { withinMs: 30_000 });
  return primary;
}

async function measure(primary: ValkeyNode, { title, durability, appendfsync }: Row): Promise<string> {
  await primary.admin.config('SET', 'appendfsync', appendfsync);
  await primary.admin.flushall();
  const store = new ValkeySessionStore({
    endpoint: `127.0.0.1:${primary.port}`,
    commandTimeoutMs: 5_000,
    ...(durability && { durability }),
  });
  await store.ready();
  const appends: number[] = [];
  const loads: number[] = [];
  for (const concurrency of CONCURRENCIES) {
    appends.push(await rateOf(concurrency, (n) => store.appendLabels(`${concurrency}/${n}`, ['secret'])));
    loads.push(await rateOf(concurrency, (n) => store.loadLabels(`${concurrency}/${n}`)));
  }
  await store.close();
  const cells = [...appends, ...loads].map((rate) => Math.round(rate).toLocaleString('en'));
  return `| ${title} | ${cells.join(' | ')} |`;
}

const { group, close } = await openValkeyGroup(3);
try {
  const primary = await start(group);
  const columns = ['Appends', 'Loads'].flatMap((what) => CONCURRENCIES.map((count) => `${what}/s, ${count} at once`));
  console.log(`| \`durability\` | ${columns.join(' | ')} |`);
  console.log(`|---|${columns.map(() => '---:').join('|')}|`);
  for (const row of ROWS) console.log(await measure(primary, row));
} finally {
  await close();
}
process.exit();
