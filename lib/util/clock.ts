/**
 * Node's own timers and clock, taken when this package is loaded. Tests of an app put fake ones in the place of the
 * globals; a request that waited for those would hang, and a deadline that measured them would refuse at random.
 * Use these names in lib/ and never the globals; `test/util/clock.test.ts` holds that.
 */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import timers from 'node:timers';

export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate } = timers;

/** Milliseconds on the monotonic clock. */
export const now: () => number = performance.now.bind(performance);

export const nextTick: typeof process.nextTick = process.nextTick.bind(process);

const resolved = Promise.resolve();

/** Runs `callback`, which must not throw, once the current call stack is done. */
export function microtask(callback: () => void): void {
  resolved.then(callback);
}
