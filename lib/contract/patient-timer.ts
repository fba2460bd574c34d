import { clearImmediate, clearTimeout, now, setImmediate, setTimeout } from './clock.js';

/** A timer that is later than this was held up by the process itself. */
const LATE_MS = 10;

/**
 * A timer for the verdict that another process was too slow. A process that blocks its own event loop finds the timer
 * over before it has read the answers that came meanwhile, and what it had to send left late. So a timer that is late
 * gives the other as much time again, once, and every verdict comes after a look at the sockets.
 * It never keeps the process alive.
 */
export class PatientTimer {
  readonly #onVerdict: () => void;
  readonly #longestGraceMs: number;
  #state: 'stopped' | 'counting' | 'in grace' | 'looking' = 'stopped';
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #look: NodeJS.Immediate | undefined;

  /** @param longestGraceMs how much time a late timer gives at most, in milliseconds */
  constructor(onVerdict: () => void, longestGraceMs: number) {
    this.#onVerdict = onVerdict;
    this.#longestGraceMs = longestGraceMs;
  }

  /** Whether a verdict will come. */
  get running(): boolean {
    return this.#state !== 'stopped';
  }

  /** Begins to count, also if it was counting. */
  start(ms: number): void {
    this.stop();
    this.#wait(ms, 'counting');
  }

  stop(): void {
    this.#state = 'stopped';
    clearTimeout(this.#timer);
    clearImmediate(this.#look);
  }

  #wait(ms: number, state: 'counting' | 'in grace'): void {
    this.#state = state;
    this.#dueMs = now() + ms;
    this.#timer = setTimeout(() => this.#onTime(), ms).unref();
  }

  #onTime(): void {
    const lateMs = now() - this.#dueMs;
    if (this.#state === 'counting' && lateMs > LATE_MS) {
      this.#wait(Math.min(lateMs, this.#longestGraceMs), 'in grace');
      return;
    }
    this.#state = 'looking';
    // the event loop reads its sockets between its timers and this
    this.#look = setImmediate(() => {
      this.#state = 'stopped';
      this.#onVerdict();
    });
  }
}
