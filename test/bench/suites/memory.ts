import type { AppProcess } from '../app-process.js';
import type { Lab } from '../lab.js';
import type { RequestShape } from '../load/request-source.js';
import type { Plan } from '../options.js';
import type { MemoryResult } from '../results.js';
import { POOL_LABELS } from '../scenarios.js';

const BODIES = [0, 1_024, 16_384, 65_536];
const SESSIONS = 50_000;

/** Bytes for each request that waits, each response that is held, and each session. */
export async function runMemory(lab: Lab, plan: Plan, say: (text: string) => void): Promise<MemoryResult> {
  say('memory: requests in flight, held responses, sessions');
  const bare = await withApp(lab, 'bare', (app) => waitingBytes(lab, plan, app));
  const { waiting, held } = await withApp(lab, 'held', async (app) => ({
    waiting: await waitingBytes(lab, plan, app),
    held: await heldBytes(lab, plan, app),
  }));
  return {
    inFlightBytes: waiting - bare,
    held: held.map(({ bodyBytes, bytes }) => ({ bodyBytes, beyondBodyBytes: bytes - waiting - bodyBytes })),
    perSessionBytes: { memory: await memoryStoreBytes(lab), valkey: await valkeyBytes(lab) },
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

/** Bytes that one request takes whose handler has not answered. */
async function waitingBytes(lab: Lab, plan: Plan, app: AppProcess): Promise<number> {
  const end = async (): Promise<void> => {
    const response = await fetch(`http://127.0.0.1:${app.port}/release`);
    await response.text();
  };
  return bytesEach(lab, plan, app, { path: '/wait', session: 'fresh' }, end);
}

async function heldBytes(lab: Lab, plan: Plan, app: AppProcess): Promise<Array<{ bodyBytes: number; bytes: number }>> {
  const results = [];
  for (const bodyBytes of BODIES) {
    const shape: RequestShape = { path: `/taint-fresh-body/${bodyBytes}`, session: 'fresh' };
    results.push({ bodyBytes, bytes: await bytesEach(lab, plan, app, shape, () => app.ask('acknowledge')) });
  }
  return results;
}

/** Sends as many requests as there are connections, all of which wait, and divides the memory they take. */
async function bytesEach(
  lab: Lab,
  plan: Plan,
  app: AppProcess,
  shape: RequestShape,
  end: () => Promise<unknown>,
): Promise<number> {
  const count = plan.heldResponses;
  await lab.load.do({ do: 'open', ports: [app.port], connections: count });
  let bytes = 0;
  // the first time only brings the code and the connections into memory
  for (let round = 0; round < 2; round++) {
    const before = await app.memoryBytes();
    await lab.load.do({ do: 'send', shape });
    await new Promise((resolve) => setTimeout(resolve, 100 + count / 2));
    bytes = (await app.memoryBytes()) - before;
    await end();
    await lab.load.do({ do: 'collect' });
  }
  await lab.load.do({ do: 'close' });
  return bytes / count;
}

async function memoryStoreBytes(lab: Lab): Promise<number> {
  return withApp(lab, 'memory', async (app) => {
    await app.ask('fill', 1);
    const before = await app.memoryBytes();
    await app.ask('fill', SESSIONS);
    return ((await app.memoryBytes()) - before) / SESSIONS;
  });
}

async function valkeyBytes(lab: Lab): Promise<number> {
  await lab.valkey.flush();
  const before = await lab.valkey.usedMemory();
  await lab.valkey.fillSessions('memory', SESSIONS, POOL_LABELS, 'ours');
  return ((await lab.valkey.usedMemory()) - before) / SESSIONS;
}
