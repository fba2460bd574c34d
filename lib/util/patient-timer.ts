import { clearImmediate, clearTimeout, now, setImmediate, setTimeout } from './clock.js';

/** A timer that is later than this was held up by the process itself. */
const LATE_MS = 10;

/** A process that is always late would hear of a silent server too late. */
const MAX_GRACES = 3;

/**
 * A timer for the verdict that another process was too slow. A process that blocks its own event loop finds the timer
 * over before it has read the answers that came meanwhile, and what it had to send left late. So a timer that is late
 * gives the other as much time again, a few times at most, and every verdict comes after a look at the sockets.
 * It never keeps the process alive.
 */
export class PatientTimer {
  readonly #onVerdict: (atMs: number) => void;
  readonly #longestGraceMs: number;
  #state: 'stopped' | 'counting' | 'looking' = 'stopped';
  #gracesLeft = 0;
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #look: NodeJS.Immediate | undefined;

  /**
   * @param onVerdict is told when the time was up: what came to pass since then was not looked at
   * @param longestGraceMs how much time a late timer gives at most, in milliseconds
   */
  constructor(onVerdict: (atMs: number) => void, longestGraceMs: number) {
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
    this.#state = 'counting';
    this.#gracesLeft = MAX_GRACES;
    this.#wait(ms);
  }

  stop(): void {
    this.#state = 'stopped';
    clearTimeout(this.#timer);
    clearImmediate(this.#look);
  }

  #wait(ms: number): void {
    this.#dueMs = now() + ms;
    this.#timer = setTimeout(() => this.#onTime(), ms).unref();
  }

  #onTime(): void {
    const atMs = now();
    const lateMs = atMs - this.#dueMs;
    if (lateMs > LATE_MS && this.#gracesLeft > 0) {
      this.#gracesLeft -= 1;
      this.#wait(Math.min(lateMs, this.#longestGraceMs));
      return;
    }
    this.#state = 'looking';
    // the event loop reads its sockets between its timers and this
    this.#look = setImmediate(() => {
      this.#state = 'stopped';
      this.#onVerdict(atMs);
    });
  }
}
