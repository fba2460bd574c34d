const PACE_MS = 20;

/** Measures for how long a busy machine has kept this process from running its timers. */
export class Lateness {
  readonly #timer: NodeJS.Timeout;
  #dueMs = performance.now() + PACE_MS;
  #mostMs = 0;

  constructor() {
    this.#timer = setInterval(() => this.#measure(), PACE_MS);
  }

  /** The longest delay since the start or the last call of `forget`, in milliseconds. */
  get mostMs(): number {
    this.#measure();
    return this.#mostMs;
  }

  forget(): void {
    this.#mostMs = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #measure(): void {
    const nowMs = performance.now();
    this.#mostMs = Math.max(this.#mostMs, nowMs - this.#dueMs);
    this.#dueMs = nowMs + PACE_MS;
  }
}
