/**
 * The measured process: `node app/main.mjs <kind>`, plain JavaScript, no loader. Tells its port on the IPC channel and
 * answers questions about itself there. `kind` names a file of this folder; each mounts what is compared.
 */
import { spawn } from 'node:child_process';
import express from 'express';
import { mountRoutes } from './routes.mjs';

const kind = process.argv[2];
const { mount } = await import(`./kinds/${kind}.mjs`);

const app = express();
const { taint, ask = async () => undefined } = await mount(app);
mountRoutes(app, taint);

const server = app.listen(0, '127.0.0.1', 1024, (error) => {
  if (error) throw error;
  process.send({ port: server.address().port });
});
server.keepAliveTimeout = 600_000;

process.on('message', async ({ id, question, argument }) => {
  process.send({ id, answer: (await own(question)) ?? (await ask(question, argument)) });
});
process.on('disconnect', () => process.exit());

/**
 * Makes valgrind print the count of instructions so far. It prints when a process ends, and the fork of this process ends at
 * once, because the program does not exist.
 */
function checkpoint() {
  return new Promise((done) => spawn('/nonexistent').on('error', () => done(true)));
}

let longestMs = 0;
let watching;

/** Runs turn after turn of the event loop without a wait, and keeps the time of the longest one. */
function watchTurns() {
  longestMs = 0;
  let startedMs = performance.now();
  const turn = () => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - startedMs);
    startedMs = nowMs;
    watching = setImmediate(turn);
  };
  // this turn answers the question, and is not counted
  watching = setImmediate(() => {
    startedMs = performance.now();
    watching = setImmediate(turn);
  });
  return true;
}

function longestTurn() {
  clearImmediate(watching);
  return longestMs;
}

let session;

/** What every kind can answer. */
async function own(question) {
  if (question === 'mark') {
    const { user, system } = process.cpuUsage();
    const { active, idle } = performance.eventLoopUtilization();
    return { cpuMicros: user + system, activeMs: active, idleMs: idle };
  }
  if (question === 'checkpoint') return checkpoint();
  if (question === 'watch-turns') return watchTurns();
  if (question === 'longest-turn') return longestTurn();
  if (question === 'memory') {
    for (let n = 0; n < 4; n++) {
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { heapUsed, external, rss } = process.memoryUsage();
    return { bytes: heapUsed + external, rss };
  }
  if (question === 'profile-start') {
    const { Session } = await import('node:inspector/promises');
    session = new Session();
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 100 });
    await session.post('Profiler.start');
    return true;
  }
  if (question === 'heap-profile-start') {
    const { Session } = await import('node:inspector/promises');
    session = new Session();
    session.connect();
    await session.post('HeapProfiler.startSampling', { samplingInterval: 256 });
    return true;
  }
  if (question === 'heap-profile-stop') {
    const { profile } = await session.post('HeapProfiler.stopSampling');
    session.disconnect();
    return profile.head;
  }
  if (question === 'profile-stop') return (await session.post('Profiler.stop')).profile;
  return undefined;
}
