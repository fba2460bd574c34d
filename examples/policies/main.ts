import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createApp, ENGINES } from './app.js';

interface Step {
  readonly title: string;
  readonly token: string;
  readonly session: string;
  readonly request: 'GET /compensation' | 'POST /email';
  readonly status: number;
}

const STEPS: readonly Step[] = [
  { title: 'Alice sends mail', token: 'alice-token', session: 'one', request: 'POST /email', status: 202 },
  { title: 'Bob sends mail', token: 'bob-token', session: 'one', request: 'POST /email', status: 403 },
  { title: 'Alice reads salaries', token: 'alice-token', session: 'one', request: 'GET /compensation', status: 200 },
  { title: 'Alice sends mail again', token: 'alice-token', session: 'one', request: 'POST /email', status: 403 },
  {
    title: 'Alice sends mail in a new session',
    token: 'alice-token',
    session: 'two',
    request: 'POST /email',
    status: 202,
  },
];

/** Sends the request of one step. Returns whether its status is the expected one. */
async function play(origin: string, { title, token, session, request, status }: Step): Promise<boolean> {
  const [method = '', path = ''] = request.split(' ');
  const headers = { authorization: `Bearer ${token}`, 'mcp-session-id': session };
  const response = await fetch(`${origin}${path}`, { method, headers });
  const expected = response.status === status;
  console.log(`  ${title}: ${response.status} ${await response.text()}${expected ? '' : `, expected ${status}`}`);
  return expected;
}

let wrong = 0;
for (const [engine, decide] of ENGINES) {
  console.log(`\n${engine} decides`);
  const { app, close } = createApp(decide());
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const step of STEPS) if (!(await play(origin, step))) wrong += 1;
  server.closeAllConnections();
  server.close();
  await close();
}
if (wrong === 0) console.log('\nEvery answer was the expected one.');
else process.exitCode = 1;
