import { clearImmediate, clearTimeout, now, setImmediate, setTimeout } from './clock.js';

/** A timer that is later than this was delayed by a blocked event loop. */
const LATE_MS = 10;

/** Limits the delay in a process whose event loop is always blocked. */
const MAX_EXTENSIONS = 3;

/**
 * A timer for a reply of another process. While the event loop is blocked, this process sends late and does not read replies that
 * have arrived. Therefore a late timer is extended by its delay, at most three times, and it expires only after Node has polled
 * its sockets once more. The timer never keeps the process alive.
 */
export class PatientTimer {
  readonly #onExpired: (atMs: number) => void;
  readonly #maxExtensionMs: number;
  #state: 'stopped' | 'waiting' | 'polling' = 'stopped';
  #extensionsLeft = 0;
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #poll: NodeJS.Immediate | undefined;

  /**
   * @param onExpired receives the moment at which the time was over, before the last poll
   * @param maxExtensionMs the longest single extension, in milliseconds
   */
  constructor(onExpired: (atMs: number) => void, maxExtensionMs: number) {
    this.#onExpired = onExpired;
    this.#maxExtensionMs = maxExtensionMs;
  }

  /** Whether the timer was started, and has neither expired nor been stopped. */
  get running(): boolean {
    return this.#state !== 'stopped';
  }

  /** Starts the timer, or starts it again. */
  start(ms: number): void {
    this.stop();
    this.#state = 'waiting';
    this.#extensionsLeft = MAX_EXTENSIONS;
    this.#wait(ms);
  }

  stop(): void {
    this.#state = 'stopped';
    clearTimeout(this.#timer);
    clearImmediate(this.#poll);
  }

  #wait(ms: number): void {
    this.#dueMs = now() + ms;
    this.#timer = setTimeout(() => this.#onTime(), ms).unref();
  }

  #onTime(): void {
    const atMs = now();
    const lateMs = atMs - this.#dueMs;
    if (lateMs > LATE_MS && this.#extensionsLeft > 0) {
      this.#extensionsLeft -= 1;
      this.#wait(Math.min(lateMs, this.#maxExtensionMs));
      return;
    }
    this.#state = 'polling';
    // the event loop polls its sockets between timers and immediates
    this.#poll = setImmediate(() => {
      this.#state = 'stopped';
      this.#onExpired(atMs);
    });
  }
}
