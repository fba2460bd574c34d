/**
 * A process that loads a session again and again, and reports what happened since it was asked last. Times are
 * milliseconds on the system's monotonic clock, which all processes share.
 */
import { subscribe } from 'node:diagnostics_channel';
import { ValkeySessionStore } from '../../lib/valkey.js';

export interface LoadingReport {
  /** When each attempt to connect began. */
  readonly attemptsAtMs: readonly number[];
  /** How many loads were refused. */
  readonly refused: number;
  /** When a load was served for the first time after one was refused. */
  readonly servedAtMs: number | undefined;
  /** The longest time for which this process could not run its timers, in milliseconds. */
  readonly latestMs: number;
}

const PACE_MS = 20;
const clock = (): number => Number(process.hrtime.bigint()) / 1e6;

let attemptsAtMs: number[] = [];
let refused = 0;
let servedAtMs: number | undefined;
let latestMs = 0;
const forget = (): void => {
  attemptsAtMs = [];
  refused = 0;
  servedAtMs = undefined;
  latestMs = 0;
};

subscribe('net.client.socket', () => {
  attemptsAtMs.push(clock());
});
const store = new ValkeySessionStore({ endpoint: process.env['ENDPOINT'] ?? '' });
process.on('message', (command) => {
  if (command === 'forget') forget();
  const report: LoadingReport = { attemptsAtMs, refused, servedAtMs, latestMs };
  process.send?.(report);
});
process.on('disconnect', () => process.exit());

let isLoading = false;
let dueMs = clock();
setInterval(async () => {
  latestMs = Math.max(latestMs, clock() - dueMs);
  dueMs = clock() + PACE_MS;
  if (isLoading) return;
  isLoading = true;
  try {
    await store.loadLabels(`session of ${process.pid}`);
    if (refused > 0) servedAtMs ??= clock();
  } catch {
    refused += 1;
  }
  isLoading = false;
}, PACE_MS);
