import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';

const document = readFileSync(new URL('policies.yaml', import.meta.url), 'utf8');
const { app, policies, close } = createApp(document);
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

let wrong = 0;

/** Sends a request, and compares what the answer contains. */
async function ask(who: string, session: string, request: string, expected: string, mail?: object): Promise<void> {
  const [method = '', path = ''] = request.split(' ');
  const headers = {
    authorization: `Bearer ${who}-token`,
    'mcp-session-id': session,
    'content-type': 'application/json',
  };
  const answer = await fetch(`${origin}${path}`, { method, headers, ...(mail && { body: JSON.stringify(mail) }) });
  const text = `${answer.status} ${await answer.text()}`;
  const isExpected = text.includes(expected);
  console.log(`${who}, ${session}: ${request}: ${text}${isExpected ? '' : `, expected ${expected}`}`);
  if (!isExpected) wrong += 1;
}

const mail = { to: 'bob@corp.example' };
await ask('alice', 'chat-1', 'POST /email', '202', mail);
await ask('alice', 'chat-1', 'POST /email', 'routes.tool:send_email.apl.args.to', { to: 'everyone' });
await ask('alice', 'chat-1', 'GET /compensation', '"ssn":"[REDACTED]"');
await ask('alice', 'chat-1', 'POST /email', 'session_tainted', mail);
await ask('alice', 'chat-2', 'POST /email', '202', mail);
await ask('bob', 'chat-1', 'GET /compensation', 'hr_only');
await ask('bob', 'chat-1', 'POST /email', '202', mail);
await ask('erin', 'chat-1', 'GET /compensation', '"ssn":"123-45-6789"');

console.log('\nA document with a mistake changes nothing:');
try {
  policies.replace(document.replace('security.labels', 'security.label'));
  wrong += 1;
} catch (error) {
  console.log((error as Error).message);
}
await ask('alice', 'chat-1', 'POST /email', 'session_tainted', mail);

console.log('\nA new document counts from the next request on:');
policies.replace(document.replace('session touched secret data', 'no mail after salaries'));
await ask('alice', 'chat-1', 'POST /email', 'no mail after salaries', mail);

server.closeAllConnections();
server.close();
await close();
if (wrong === 0) console.log('\nEvery answer was the expected one.');
else process.exitCode = 1;
