/**
 * A thread that says when the next pair of requests is due: Poisson arrivals, finer than the millisecond of Node's timers. It
 * sleeps between them, so that it takes nothing from what shares its core.
 */
import { parentPort, workerData } from 'node:worker_threads';

const { rate, durationMs } = workerData;
const never = new Int32Array(new SharedArrayBuffer(4));
const start = performance.now();
let due = start;
for (;;) {
  due += (-Math.log(1 - Math.random()) * 1_000) / rate;
  if (due > start + durationMs) break;
  const waitMs = due - performance.now();
  if (waitMs > 0.02) Atomics.wait(never, 0, 0, waitMs);
  parentPort.postMessage(1);
}
parentPort.postMessage(0);
