import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

/** Requests in one group, as a busy server reads them from many connections in one turn. */
const TOGETHER = 16;
/** Node 20 can be told to compile early, which saves most of the time of a measurement under Valgrind. */
const EARLY = process.versions.node.startsWith('20.')
  ? ['--interrupt-budget=15000', '--no-lazy-feedback-allocation']
  : [];
/** Groups of requests before the ones that are counted. V8 has compiled everything by then. */
const WARM_UP = EARLY.length > 0 ? 120 : 350;
/**
 * A collection takes as many instructions as sixteen requests, and a request more or less may bring one into the run. In so many groups
 * there are about thirty.
 */
const COUNTED = 240;
const KERNEL_COUNTED = 80;

/**
 * These options of V8 make two runs execute the same instructions: one thread, fixed seeds, and a heap that does not resize by
 * the clock. The young generation is small, so that every measurement has many collections.
 */
export const STEADY = [
  '--predictable',
  '--hash-seed=1',
  '--min-semi-space-size=4',
  '--max-semi-space-size=4',
  '--initial-old-space-size=1000',
  ...EARLY,
];
export const VALGRIND = [
  '--tool=cachegrind',
  '--cache-sim=no',
  '--smc-check=all-non-file',
  '--cachegrind-out-file=/dev/null',
];
/** No collection takes place during the measurement. */
const ROOMY = ['--expose-gc', '--single-threaded', '--min-semi-space-size=64', '--max-semi-space-size=64'];

const MISSES_WARM_UP = 250;
const MISSES_COUNTED = 20;
/** A line of V8's log. */
const MISS = /^[A-Za-z]*IC,/;

const env = { ...process.env, NODE_ENV: 'production', NODE_NO_WARNINGS: '1', NODE_OPTIONS: '' };
const at = (file: string): string => join(import.meta.dirname, file);
const run = promisify(execFile);

export function hasProgram(name: string): boolean {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export function assertValgrind(): void {
  if (hasProgram('valgrind')) return;
  throw new Error(
    'valgrind is not installed, and it counts the instructions. On Debian and Ubuntu: apt-get install valgrind. On Fedora: dnf install valgrind.',
  );
}

/** User-space instructions per request: the difference of two runs that differ only in their length. */
export async function instructionsOf(scenario: string, dist: string, seed: number): Promise<number> {
  const short = await instructions(scenario, dist, seed, WARM_UP);
  const long = await instructions(scenario, dist, seed, WARM_UP + COUNTED);
  return (long - short) / COUNTED / TOGETHER;
}

async function instructions(scenario: string, dist: string, seed: number, groups: number): Promise<number> {
  const node = [process.execPath, ...STEADY, `--random-seed=${seed}`, at('workload.mjs')];
  const { stderr } = await run('valgrind', [...VALGRIND, ...node, scenario, dist, String(groups), String(TOGETHER)], {
    env,
  });
  return lastCountIn(stderr);
}

/** The last count of instructions in what cachegrind has printed. */
export function lastCountIn(text: string): number {
  const count = [...text.matchAll(/I +refs: +([\d,]+)/g)].at(-1)?.[1];
  if (count === undefined) throw new Error(`valgrind has printed no count of instructions:\n${text}`);
  return Number(count.replaceAll(',', ''));
}

/** Bytes of the JavaScript heap that one request allocates. */
export async function bytesOf(scenario: string, dist: string): Promise<number> {
  const { stdout } = await run(process.execPath, [...ROOMY, at('allocations.mjs'), scenario, dist, String(TOGETHER)], {
    env,
  });
  return Number(stdout);
}

/** How often one request misses V8's inline caches, which is what accesses to Express's requests and responses cost. */
export async function missesOf(scenario: string, dist: string): Promise<number> {
  const short = await misses(scenario, dist, MISSES_WARM_UP);
  const long = await misses(scenario, dist, MISSES_WARM_UP + MISSES_COUNTED);
  return (long - short) / MISSES_COUNTED / TOGETHER;
}

async function misses(scenario: string, dist: string, groups: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'apl-misses-'));
  const log = join(folder, 'v8.log');
  try {
    const logging = ['--single-threaded', '--log-ic', '--no-logfile-per-isolate', `--logfile=${log}`];
    const workload = [at('workload.mjs'), scenario, dist, String(groups), String(TOGETHER)];
    await run(process.execPath, [...logging, ...workload], { env });
    let count = 0;
    for await (const entry of createInterface(createReadStream(log))) if (MISS.test(entry)) count += 1;
    return count;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Calls of the kernel per request, over real connections. */
export interface KernelCalls {
  readonly read: number;
  readonly write: number;
  readonly epoll: number;
  readonly other: number;
}

type Family = keyof KernelCalls;
const FAMILIES: ReadonlyArray<readonly [Family, RegExp]> = [
  ['read', /^(?:p?readv?2?(?:64)?|recv.*)$/],
  ['write', /^(?:p?writev?2?(?:64)?|send.*)$/],
  ['epoll', /^epoll_/],
];

export async function kernelCallsOf(scenario: string, dist: string, valkeyUrl = ''): Promise<KernelCalls> {
  const short = await kernelCalls(scenario, dist, valkeyUrl, KERNEL_COUNTED);
  const long = await kernelCalls(scenario, dist, valkeyUrl, 2 * KERNEL_COUNTED);
  const each = (family: Family): number => (long[family] - short[family]) / KERNEL_COUNTED / TOGETHER;
  return { read: each('read'), write: each('write'), epoll: each('epoll'), other: each('other') };
}

async function kernelCalls(scenario: string, dist: string, valkeyUrl: string, groups: number): Promise<KernelCalls> {
  const folder = mkdtempSync(join(tmpdir(), 'apl-strace-'));
  const summary = join(folder, 'summary');
  const node = [process.execPath, '--single-threaded', at('server.mjs'), scenario, dist];
  const server = spawn('strace', ['-c', '-f', '-o', summary, ...node], {
    env: { ...env, VALKEY_URL: valkeyUrl },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const [port] = await once(createInterface(server.stdout), 'line');
    await sendGroups(Number(port), scenario, groups);
    server.stdin.end();
    await once(server, 'exit');
    return familiesIn(readFileSync(summary, 'utf8'));
  } finally {
    server.kill();
    rmSync(folder, { recursive: true });
  }
}

/** Sixteen connections; the next group starts when all answers of the last one have arrived. */
async function sendGroups(port: number, scenario: string, groups: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: TOGETHER });
  const isNew = scenario.includes('tainting') || scenario === 'held stream';
  let sessions = 0;
  const send = (): Promise<void> =>
    new Promise((done, fail) => {
      const session = isNew ? `session-${sessions++}` : 'one';
      const identity = { 'x-subject': 'alice', 'mcp-session-id': session };
      const headers = scenario === 'no session' ? {} : identity;
      get({ host: '127.0.0.1', port, agent, headers }, (res) => res.resume().once('end', done)).once('error', fail);
    });
  for (let n = 0; n < groups; n++) await Promise.all(Array.from({ length: TOGETHER }, send));
  agent.destroy();
}

/** Reads the table of `strace -c`: the name of a call is in its last column, the number of calls in its fourth. */
function familiesIn(summary: string): KernelCalls {
  const counts = { read: 0, write: 0, epoll: 0, other: 0 };
  for (const line of summary.split('\n')) {
    const columns = line.trim().split(/\s+/);
    const [name = '', calls] = [columns.at(-1), Number(columns[3])];
    if (name === 'total' || !/^[a-z]\w+$/.test(name) || !Number.isInteger(calls)) continue;
    const [family = 'other'] = FAMILIES.find(([, pattern]) => pattern.test(name)) ?? [];
    counts[family] += calls;
  }
  return counts;
}
