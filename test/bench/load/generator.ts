/** The load process: does what it is told on the IPC channel, one command after the other. */
import { Worker } from 'node:worker_threads';
import { Connection } from './connection.js';
import type { LoadCommand, LoadResult } from './load-messages.js';
import { type RequestShape, requestSource } from './request-source.js';

let connections: Connection[] = [];
let outstanding: Promise<boolean>[] = [];

/** By ports and count. Kept, as the first request on a connection costs more than those that follow. */
const opened = new Map<string, Connection[]>();

async function open(ports: readonly number[], count: number): Promise<LoadResult> {
  const key = `${count} to ${ports}`;
  connections = opened.get(key) ?? [];
  opened.set(key, connections);
  outstanding = [];
  for (let n = connections.length; n < count; n++) {
    connections.push(await Connection.open(ports[n % ports.length] ?? 0));
  }
  return nothing;
}

function closeAll(): LoadResult {
  for (const connection of [...opened.values()].flat()) connection.close();
  opened.clear();
  connections = [];
  return nothing;
}

const nothing: LoadResult = { requests: 0, failures: 0, seconds: 0, cpuMicros: 0, latenciesMs: [] };

/** Every connection sends its next request when it has its answer, until `more` says no. */
async function inClosedLoop(shape: RequestShape, more: () => boolean): Promise<LoadResult> {
  const next = requestSource(shape);
  const meter = startMeter();
  await Promise.all(
    connections.map(
      (connection) =>
        new Promise<void>((resolve) => {
          const onDone = (ok: boolean): void => {
            meter.done(ok);
            if (ok && more()) connection.send(next(), onDone);
            else resolve();
          };
          if (more()) connection.send(next(), onDone);
          else resolve();
        }),
    ),
  );
  return meter.result();
}

/** Requests arrive when they are due, whatever became of those before; one that finds no free connection waits in line. */
function inOpenLoop(shape: RequestShape, rate: number, durationMs: number): Promise<LoadResult> {
  const next = requestSource(shape);
  const meter = startMeter();
  const free = [...connections];
  const line: number[] = [];
  let busy = 0;
  let over = false;
  return new Promise((resolve, reject) => {
    const pacer = new Worker(new URL('./pacer.mjs', import.meta.url), {
      workerData: { rate, durationMs },
      execArgv: [],
    });
    const finish = (): void => {
      if (over && busy === 0 && line.length === 0) resolve(meter.result());
    };
    const send = (connection: Connection, arrivedMs: number): void => {
      busy += 1;
      connection.send(next(), (ok) => {
        busy -= 1;
        meter.done(ok, performance.now() - arrivedMs);
        const waiting = line.shift();
        if (waiting === undefined) free.push(connection);
        else send(connection, waiting);
        finish();
      });
    };
    pacer.on('error', reject);
    pacer.on('message', (due: 0 | 1) => {
      if (due === 0) {
        over = true;
        finish();
        return;
      }
      const connection = free.pop();
      if (connection) send(connection, performance.now());
      else line.push(performance.now());
    });
  });
}

interface Meter {
  done(ok: boolean, latencyMs?: number): void;
  result(): LoadResult;
}

function startMeter(): Meter {
  const startedMs = performance.now();
  const cpuBefore = process.cpuUsage();
  const latenciesMs: number[] = [];
  let requests = 0;
  let failures = 0;
  return {
    done(ok, latencyMs) {
      requests += 1;
      if (!ok) failures += 1;
      if (latencyMs !== undefined) latenciesMs.push(latencyMs);
    },
    result() {
      const { user, system } = process.cpuUsage(cpuBefore);
      const seconds = (performance.now() - startedMs) / 1_000;
      return { requests, failures, seconds, cpuMicros: user + system, latenciesMs };
    },
  };
}

/** One request on each connection, without waiting for the answers. */
function sendAll(shape: RequestShape): LoadResult {
  const next = requestSource(shape);
  outstanding = connections.map((connection) => new Promise((resolve) => connection.send(next(), resolve)));
  return { ...nothing, requests: connections.length };
}

async function perform(command: LoadCommand): Promise<LoadResult> {
  switch (command.do) {
    case 'open':
      return open(command.ports, command.connections);
    case 'close':
      return closeAll();
    case 'saturate': {
      const endMs = performance.now() + command.durationMs;
      return inClosedLoop(command.shape, () => performance.now() < endMs);
    }
    case 'count': {
      let left = command.requests;
      return inClosedLoop(command.shape, () => left-- > 0);
    }
    case 'pace':
      return inOpenLoop(command.shape, command.rate, command.durationMs);
    case 'send':
      return sendAll(command.shape);
    case 'collect': {
      const answers = await Promise.all(outstanding);
      return { ...nothing, requests: answers.length, failures: answers.filter((ok) => !ok).length };
    }
  }
}

process.on('message', ({ id, command }: { id: number; command: LoadCommand }) => {
  perform(command).then(
    (answer) => process.send?.({ id, answer }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });
