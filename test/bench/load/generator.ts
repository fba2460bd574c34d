/** The load process: does what it is told on the IPC channel, one command after the other. */
import { Worker } from 'node:worker_threads';
import { Connection } from './connection.js';
import type { LoadCommand, LoadResult, Pair, Side } from './load-messages.js';
import { type RequestShape, requestSource } from './request-source.js';

let connections: Connection[] = [];
let outstanding: Promise<boolean>[] = [];

/** By ports and count. Kept, as the first request on a connection costs more than those that follow. */
const opened = new Map<string, Connection[]>();

async function open(ports: readonly number[], count: number): Promise<LoadResult> {
  connections = await connectionsTo(ports, count);
  outstanding = [];
  return nothing;
}

async function connectionsTo(ports: readonly number[], count: number): Promise<Connection[]> {
  const key = `${count} to ${ports}`;
  const found = opened.get(key) ?? [];
  opened.set(key, found);
  for (let n = found.length; n < count; n++) found.push(await Connection.open(ports[n % ports.length] ?? 0));
  return found;
}

function closeAll(): LoadResult {
  for (const connection of [...opened.values()].flat()) connection.close();
  opened.clear();
  connections = [];
  return nothing;
}

const nothing: LoadResult = { requests: 0, failures: 0, seconds: 0, cpuMicros: 0, pairs: [] };

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

/**
 * Pairs of requests at random moments, `rate` pairs a second: one request to each side, the second when the first has its
 * answer. The sides take turns in being first. A pair that is due during another one waits for it.
 */
async function inPairs(sides: readonly [Side, Side], rate: number, durationMs: number): Promise<LoadResult> {
  const meter = startMeter();
  const [first, second] = [await timedRequests(sides[0], meter), await timedRequests(sides[1], meter)];
  const pairs: Pair[] = [];
  let due = 0;
  let over = false;
  return new Promise((resolve, reject) => {
    let busy = false;
    const next = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      for (; due > 0; due--) {
        const isFirst = pairs.length % 2 === 0;
        const early = await (isFirst ? first() : second());
        const late = await (isFirst ? second() : first());
        pairs.push(isFirst ? [early, late] : [late, early]);
      }
      busy = false;
      if (over) resolve({ ...meter.result(), pairs });
    };
    const pacer = new Worker(new URL('./pacer.mjs', import.meta.url), {
      workerData: { rate, durationMs },
      execArgv: [],
    });
    pacer.on('error', reject);
    pacer.on('message', (message: 0 | 1) => {
      due += message;
      if (message === 0) over = true;
      next().catch(reject);
    });
  });
}

/** A function that sends one request on a connection of its own, and resolves with its latency in milliseconds. */
async function timedRequests({ port, shape }: Side, meter: Meter): Promise<() => Promise<number>> {
  const [connection] = await connectionsTo([port], 1);
  const next = requestSource(shape);
  return () =>
    new Promise((resolve) => {
      const request = next();
      const startedMs = performance.now();
      connection?.send(request, (ok) => {
        meter.done(ok);
        resolve(performance.now() - startedMs);
      });
    });
}

interface Meter {
  done(ok: boolean): void;
  result(): LoadResult;
}

function startMeter(): Meter {
  const startedMs = performance.now();
  const cpuBefore = process.cpuUsage();
  let requests = 0;
  let failures = 0;
  return {
    done(ok) {
      requests += 1;
      if (!ok) failures += 1;
    },
    result() {
      const { user, system } = process.cpuUsage(cpuBefore);
      const seconds = (performance.now() - startedMs) / 1_000;
      return { requests, failures, seconds, cpuMicros: user + system, pairs: [] };
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
    case 'pairs':
      return inPairs(command.sides, command.rate, command.durationMs);
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
