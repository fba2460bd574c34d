/**
 * Node's timers and clock, read when this package is loaded. Tests of an app may replace the globals by fakes: a request that
 * waits for a fake timer hangs, and a deadline on a fake clock fails at random. Use these names in lib/, never the globals;
 * `test/util/clock.test.ts` checks that.
 */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import timers from 'node:timers';

export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate } = timers;

/** Milliseconds on the monotonic clock. */
export const now: () => number = performance.now.bind(performance);

const RealDate = Date;

/** The time of day, as ISO 8601 in UTC. */
export function isoTime(): string {
  return new RealDate().toISOString();
}

export const nextTick: typeof process.nextTick = process.nextTick.bind(process);

const resolved = Promise.resolve();

/** Runs `callback` after the current call stack. It must not throw. */
export function microtask(callback: () => void): void {
  resolved.then(callback);
}

/** Milliseconds since 1970 on the clock of the machine, which may jump. Measure durations with `now`. */
export const wallClock: () => number = Date.now.bind(Date);

/** The clocks may drift apart by this much before the wall clock counts alone, which has whole milliseconds only. */
const MAX_DRIFT_MS = 2;
const { timeOrigin } = performance;

/** Milliseconds since 1970, with fractions. */
export function epochMs(): number {
  const wallMs = wallClock();
  const preciseMs = timeOrigin + now();
  return Math.abs(preciseMs - wallMs) < MAX_DRIFT_MS ? preciseMs : wallMs;
}
