import { AsyncResource } from 'node:async_hooks';
import type { SessionStoreRecovered } from '../contract/alarms.js';
import { clearTimeout, now, setTimeout } from '../util/clock.js';

/** A failure is over when a success came and no failure followed for this long. A store that flaps must not raise two alarms a call. */
const QUIET_MS = 1_000;

/** A failure that is over: when it began, how often it occurred. */
export type Recovery = Pick<SessionStoreRecovered, 'code' | 'durationMs' | 'failures'>;

/** One kind of failure: it begins with the first failure, and ends with a success that no failure follows soon. */
export class LastingFailure {
  readonly #onRecovered: (recovery: Recovery) => void;
  /** The timer must not run in the asynchronous context of the request that has succeeded. */
  readonly #context = new AsyncResource('express-apl-session.failure');
  #failures = 0;
  #code: string | undefined;
  #sinceMs = 0;
  /** The first success since the last failure. */
  #succeededAtMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(onRecovered: (recovery: Recovery) => void) {
    this.#onRecovered = onRecovered;
  }

  get lasts(): boolean {
    return this.#failures > 0;
  }

  failed(code?: string): void {
    if (!this.lasts) {
      this.#sinceMs = now();
      this.#code = code;
    }
    this.#failures += 1;
    this.#succeededAtMs = undefined;
    clearTimeout(this.#timer);
  }

  succeeded(): void {
    if (!this.lasts || this.#succeededAtMs !== undefined) return;
    this.#succeededAtMs = now();
    this.#context.runInAsyncScope(() => {
      this.#timer = setTimeout(() => this.settle(), QUIET_MS).unref();
    });
  }

  /** Ends the failure without the wait if there was a success since. */
  settle(): void {
    clearTimeout(this.#timer);
    if (this.#succeededAtMs === undefined) return;
    const recovery = {
      ...(this.#code !== undefined && { code: this.#code }),
      durationMs: Math.round(this.#succeededAtMs - this.#sinceMs),
      failures: this.#failures,
    };
    this.#failures = 0;
    this.#succeededAtMs = undefined;
    this.#onRecovered(recovery);
  }
}
