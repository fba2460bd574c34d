import type { AppProcess } from '../app-process.js';
import type { Lab } from '../lab.js';
import type { RequestShape } from '../load/request-source.js';
import type { Plan } from '../options.js';
import type { KeptAnswer, MemoryResult } from '../results.js';
import { median } from '../statistics.js';

const BODIES = [0, 1_024, 16_384, 65_536];

/** Bytes for each request that waits, and each response that is held. */
export async function runMemory(lab: Lab, plan: Plan, say: (text: string) => void): Promise<MemoryResult> {
  say('memory: requests in flight, held responses');
  const bare = await withApp(lab, 'bare', (app) => bareBytes(lab, plan, app));
  const own = await withApp(lab, 'held', (app) => ownBytes(lab, plan, app));
  const answers = (bytes: readonly number[]): KeptAnswer[] =>
    BODIES.map((bodyBytes, n) => ({ bodyBytes, beyondBodyBytes: (bytes[n] ?? Number.NaN) - bodyBytes }));
  return {
    inFlightBytes: own.waiting - bare.waiting,
    held: answers(own.held),
    keptByNode: answers(bare.kept),
  };
}

async function withApp<T>(lab: Lab, kind: string, action: (app: AppProcess) => Promise<T>): Promise<T> {
  const app = await lab.startApp(kind, { nodeArgs: ['--expose-gc'] });
  try {
    return await action(app);
  } finally {
    await app.stop();
  }
}

const WAITING: RequestShape = { path: '/wait', session: 'fresh' };
const bodyOf = (bytes: number): RequestShape => ({ path: `/taint-fresh-body/${bytes}`, session: 'fresh' });

/** Requests that are sent on each connection, all of which wait there until `end`. */
interface Situation {
  readonly shapes: readonly RequestShape[];
  end(): Promise<unknown>;
}

/** With bare Express: a request whose handler has not answered, and what Node takes for an answer behind it, which it keeps. */
async function bareBytes(lab: Lab, plan: Plan, app: AppProcess): Promise<{ waiting: number; kept: number[] }> {
  const end = async (): Promise<void> => {
    const response = await fetch(`http://127.0.0.1:${app.port}/release`);
    await response.text();
  };
  const behind = (shape: RequestShape): Situation => ({ shapes: [WAITING, shape], end });
  const situations = [{ shapes: [WAITING], end }, behind(WAITING), ...BODIES.map((bytes) => behind(bodyOf(bytes)))];
  const [waiting = 0, twoWaiting = 0, ...kept] = await bytesEach(lab, plan, app, situations);
  return { waiting, kept: kept.map((bytes) => bytes - twoWaiting) };
}

/** With this package: a request whose handler has not answered, and what a held response takes beyond that. */
async function ownBytes(lab: Lab, plan: Plan, app: AppProcess): Promise<{ waiting: number; held: number[] }> {
  const end = async (): Promise<void> => {
    const response = await fetch(`http://127.0.0.1:${app.port}/release`);
    await response.text();
    await app.ask('acknowledge');
  };
  const situations = [WAITING, ...BODIES.map(bodyOf)].map((shape) => ({ shapes: [shape], end }));
  const [waiting = 0, ...held] = await bytesEach(lab, plan, app, situations);
  return { waiting, held: held.map((bytes) => bytes - waiting) };
}

const WARM_UP_ROUNDS = 2;
const ROUNDS = 3;

/** The memory that each situation takes for each connection. Medians. */
async function bytesEach(lab: Lab, plan: Plan, app: AppProcess, situations: readonly Situation[]): Promise<number[]> {
  await lab.load.do({ do: 'open', ports: [app.port], connections: plan.heldResponses });
  const rounds: number[][] = [];
  // the first rounds bring the code and the connections into memory
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    const bytes = [];
    for (const situation of situations) bytes.push(await bytesOf(lab, plan, app, situation));
    if (round >= 0) rounds.push(bytes);
  }
  await lab.load.do({ do: 'close' });
  return situations.map((_, n) => median(rounds.map((bytes) => bytes[n] ?? Number.NaN)));
}

async function bytesOf(lab: Lab, plan: Plan, app: AppProcess, { shapes, end }: Situation): Promise<number> {
  const before = await app.memoryBytes();
  for (const shape of shapes) await lab.load.do({ do: 'send', shape });
  await new Promise((resolve) => setTimeout(resolve, 100 + plan.heldResponses / 2));
  const bytes = (await app.memoryBytes()) - before;
  await end();
  const { failures } = await lab.load.do({ do: 'collect' });
  if (failures > 0) throw new Error(`${failures} requests failed.`);
  return bytes / plan.heldResponses;
}
