import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { MemorySessionStore, type SessionStore, type SessionStoreFactory } from 'express-apl-session';
import { createApp, storeFromEnvironment } from './app.js';
import { type Step, scenario } from './scenario.js';

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A factory like the given one, whose stores add every call to `calls`. */
function observed(factory: SessionStoreFactory, calls: string[]): SessionStoreFactory {
  const observe = (store: SessionStore): SessionStore => ({
    ...(store.deadlineMs !== undefined && { deadlineMs: store.deadlineMs }),
    async loadLabels(sessionId) {
      const labels = [...(await store.loadLabels(sessionId))];
      calls.push(`load: ${labels.join(', ') || 'nothing'}`);
      return labels;
    },
    async appendLabels(sessionId, labels) {
      await store.appendLabels(sessionId, labels);
      calls.push(`append: ${labels.join(', ')}`);
    },
    close: async () => store.close?.(),
  });
  return { kind: factory.kind, build: (block) => observe(factory.build(block)) };
}

async function ask(origin: string, { token, session, request }: Step): Promise<Answer> {
  const [method = '', path = ''] = request.split(' ');
  const headers = { authorization: `Bearer ${token}`, ...(session && { 'mcp-session-id': session }) };
  const response = await fetch(`${origin}${path}`, { method, headers });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

function isExpected(step: Step, { status, body }: Answer, calls: readonly string[]): boolean {
  const sameBody = Object.entries(step.body).every(([member, value]) => body[member] === value);
  return status === step.status && sameBody && calls.join('; ') === step.store.join('; ');
}

function print(number: number, step: Step, answer: Answer, calls: readonly string[], expected: boolean): void {
  console.log(`
${number}. ${step.title}
   asked   ${step.request}   as ${step.token}, session ${step.session ?? '(none)'}
   answer  ${answer.status} ${JSON.stringify(answer.body)}
   store   ${calls.join('; ') || 'not touched'}`);
  if (expected) console.log(`   why     ${step.why}`);
  else console.log(`   WRONG   expected ${step.status} ${JSON.stringify(step.body)}, store ${step.store.join('; ')}`);
}

/** Plays the scenario, and returns the titles of the steps whose answer was not the expected one. */
async function play(origin: string, calls: string[]): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const [index, step] of scenario().entries()) {
    calls.length = 0;
    const answer = await ask(origin, step);
    const expected = isExpected(step, answer, calls);
    print(index + 1, step, answer, calls, expected);
    if (!expected) wrong.push(`${index + 1}. ${step.title}`);
  }
  return wrong;
}

async function untilInterrupted(origin: string): Promise<void> {
  const call = (rest: string) =>
    `  curl -i -H 'Authorization: Bearer alice-token' -H 'mcp-session-id: my-chat' ${rest}`;
  console.log(`
Still serving at ${origin}; press Ctrl-C to stop. Try, in this order:
${call(`-X POST ${origin}/email`)}
${call(`${origin}/compensation`)}
${call(`-X POST ${origin}/email`)}
${call(`'${origin}/notes?topic=customers'`)}`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
}

const { values: options } = parseArgs({ options: { serve: { type: 'boolean', default: false } } });
const calls: string[] = [];
const { store, storeFactories } = await storeFromEnvironment();
const factories = storeFactories ?? [{ kind: 'memory', build: () => new MemorySessionStore() }];
const { app, close } = createApp({ store, storeFactories: factories.map((factory) => observed(factory, calls)) });

const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
console.log(`An AI agent may read salaries and may send mail, but not both in one session. Store: ${store.kind}.`);

const wrong = await play(origin, calls);
if (wrong.length > 0) {
  console.error(`\nNot as expected:\n${wrong.join('\n')}`);
  process.exitCode = 1;
} else {
  console.log('\nEvery answer was the expected one.');
}
if (options.serve) await untilInterrupted(origin);

server.closeAllConnections();
server.close();
await close();
