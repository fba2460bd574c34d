import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';
import { Agent } from './client.js';
import { createServer } from './tools.js';

const { app, close } = createApp(createServer);
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const agents = {
  'Alice, first session': await Agent.connect(origin, 'alice-token'),
  'Alice, second session': await Agent.connect(origin, 'alice-token'),
  Bob: await Agent.connect(origin, 'bob-token'),
};
const REFUSED = 'refused: session touched secret data';
const STEPS: ReadonlyArray<readonly [who: keyof typeof agents, tool: string, answer: string]> = [
  ['Alice, first session', 'send_mail', 'sent'],
  ['Alice, first session', 'read_salaries', '{"software engineer":98000}'],
  ['Alice, first session', 'send_mail', REFUSED],
  ['Alice, second session', 'send_mail', 'sent'],
  ['Bob', 'send_mail', 'sent'],
];

let wrong = 0;
for (const [who, tool, expected] of STEPS) {
  const answer = await agents[who].call(tool);
  console.log(`${who}: ${tool}: ${answer}${answer === expected ? '' : `, expected ${expected}`}`);
  if (answer !== expected) wrong += 1;
}
for (const agent of Object.values(agents)) await agent.close();
server.closeAllConnections();
server.close();
await close();
if (wrong === 0) console.log('\nEvery answer was the expected one.');
else process.exitCode = 1;
