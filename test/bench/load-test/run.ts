/**
 * `npm run load-test`: one process with your Valkey, under a fixed load. The login is in VALKEY_URL, so that no other user of the
 * machine sees it in the arguments. It adds labels to sessions of its own, which expire after a minute.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import express from 'express';
import { aplSessionMiddleware, denyIf, taint } from '../../../lib/index.js';
import { valkeySessionStoreFactory } from '../../../lib/valkey.js';
import { StepTimes, table } from './step-times.js';

const USAGE = `VALKEY_URL=redis://127.0.0.1:6379 npm run load-test -- [options]
  --rate N         requests per second (default 200)
  --seconds N      how long (default 10)
  --tainting N     the share of sessions that get a label, from 0 to 1 (default 0.2)`;

interface Generated {
  readonly requests: number;
  readonly seconds: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly latenciesMs: readonly number[];
}

function parsed(): {
  readonly rate: number;
  readonly seconds: number;
  readonly tainting: number;
  readonly url: string;
} {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { rate: text, seconds: text, tainting: text, help: { type: 'boolean' } },
  });
  const numbers = {
    rate: Number(values.rate ?? 200),
    seconds: Number(values.seconds ?? 10),
    tainting: Number(values.tainting ?? 0.2),
  };
  const url = process.env['VALKEY_URL'];
  const isValid = numbers.rate > 0 && numbers.seconds > 0 && numbers.tainting >= 0 && numbers.tainting <= 1;
  if (!url || !isValid || values.help) {
    console.error(url || values.help ? USAGE : `VALKEY_URL is not set.\n${USAGE}`);
    process.exit(values.help ? 0 : 3);
  }
  return { ...numbers, url };
}

async function main(): Promise<void> {
  const { rate, seconds, tainting, url } = parsed();
  const aplSession = aplSessionMiddleware({
    session: (req) => ({ id: req.get('x-session') ?? '', source: 'load-test' }),
    store: { kind: 'valkey', endpoint: url, ttlSeconds: 60, keyPrefix: 'taint:v1:load-test' },
    storeFactories: [valkeySessionStoreFactory],
    sessionless: 'deny',
  });
  await aplSession.ready();
  const app = express().use(aplSession);
  app.get('/notes', (_req, res) => void res.json({ notes: ['first', 'second'] }));
  app.get('/salaries', taint('secret'), (_req, res) => void res.json({ engineer: 98_000 }));
  app.post(
    '/mail',
    denyIf('secret', { code: 'session_tainted', reason: 'the session has read salaries' }),
    (_req, res) => {
      res.json({ sent: true });
    },
  );
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const times = new StepTimes();
  const { port } = server.address() as AddressInfo;
  const cpu = process.cpuUsage();
  const args = [port, rate, seconds, tainting].map(String);
  const child = fork(join(import.meta.dirname, 'generator.mjs'), args, { execArgv: [] });
  const [generated] = (await once(child, 'message')) as [Generated];
  const { user, system } = process.cpuUsage(cpu);
  console.log(table(generated, times, (user + system) / 1_000_000));
  times.close();
  server.close();
  await aplSession.close();
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
