import type { AppProcess } from '../app-process.js';
import type { Lab } from '../lab.js';
import type { RequestShape } from '../load/request-source.js';
import type { Plan } from '../options.js';

/** A sampling heap profile as V8 writes it: what was allocated since its start and is alive. */
export interface HeapProfileNode {
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly selfSize: number;
  readonly children: readonly HeapProfileNode[];
}

const TOP = 16;

/** Says where the memory of a held response is allocated: what it has more than a request that is not answered yet. */
export async function runHeapProfile(lab: Lab, plan: Plan, say: (text: string) => void): Promise<void> {
  // not optimised, so that no function disappears in its caller
  const app = await lab.startApp('held', { nodeArgs: ['--expose-gc', '--no-opt', '--no-maglev', '--no-sparkplug'] });
  try {
    await lab.load.do({ do: 'open', ports: [app.port], connections: plan.heldResponses });
    const held: RequestShape = { path: '/taint-fresh-body/0', session: 'fresh' };
    const waiting: RequestShape = { path: '/wait', session: 'fresh' };
    const acknowledge = (): Promise<unknown> => app.ask('acknowledge');
    await bytesByFile(lab, app, held, acknowledge);
    const heldBytes = await bytesByFile(lab, app, held, acknowledge);
    const waitingBytes = await bytesByFile(lab, app, waiting, () => release(app));
    const more = [...heldBytes].map(([file, bytes]) => ({ file, bytes: bytes - (waitingBytes.get(file) ?? 0) }));
    more.sort((a, b) => b.bytes - a.bytes);
    const lines = more
      .slice(0, TOP)
      .map(({ file, bytes }) => `${(bytes / plan.heldResponses).toFixed(0).padStart(6)}  ${file}`);
    say(`\nheld response without a body, bytes beyond a request in flight, by file:\n${lines.join('\n')}`);
  } finally {
    await app.stop();
  }
}

async function bytesByFile(
  lab: Lab,
  app: AppProcess,
  shape: RequestShape,
  end: () => Promise<unknown>,
): Promise<ReadonlyMap<string, number>> {
  await app.ask('heap-profile-start');
  await lab.load.do({ do: 'send', shape });
  // after the garbage collection that comes with it
  await app.memoryBytes();
  const head = (await app.ask('heap-profile-stop')) as HeapProfileNode;
  await end();
  await lab.load.do({ do: 'collect' });
  const bytes = new Map<string, number>();
  const visit = ({ callFrame, selfSize, children }: HeapProfileNode): void => {
    const file = callFrame.url.replace(/^.*\/(node_modules|dist|app)\//, '$1/') || `built-in ${callFrame.functionName}`;
    bytes.set(file, (bytes.get(file) ?? 0) + selfSize);
    for (const child of children) visit(child);
  };
  visit(head);
  return bytes;
}

async function release({ port }: AppProcess): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/release`);
  await response.text();
}
