import type { AppendEvent, HoldEvent, LoadEvent } from '../contract/events.js';
import { LatencyWindow } from '../util/latency-window.js';
import type { HealthState } from './store-health.js';

/** How many seconds the window has. */
export const WINDOW_SECONDS = 300;

/** The durations of the minute before, in milliseconds. */
export interface Durations {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** One second. Its durations are measured in the minute that ends with it. */
export interface Second {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly requests: number;
  readonly denials: number;
  readonly health: HealthState;
  readonly load: Durations;
  readonly append: Durations;
  readonly hold: Durations;
}

export interface Totals {
  readonly requests: number;
  readonly denials: number;
  readonly cut: number;
  readonly failedLoads: number;
  readonly failedAppends: number;
  /** How many responses are held now. */
  readonly heldNow: number;
}

/** Counts requests and denials for each second, and measures loads, appends and holds. Its size is fixed. */
export class TrafficWindow {
  readonly #seconds: Second[] = [];
  readonly #durations = { load: new LatencyWindow(), append: new LatencyWindow(), hold: new LatencyWindow() };
  readonly #totals = { requests: 0, denials: 0, cut: 0, failedLoads: 0, failedAppends: 0, heldNow: 0 };
  #requests = 0;
  #denials = 0;

  request(): void {
    this.#requests += 1;
    this.#totals.requests += 1;
  }

  denial(cut: boolean): void {
    this.#denials += 1;
    this.#totals.denials += 1;
    if (cut) this.#totals.cut += 1;
  }

  load({ outcome, durationMs }: LoadEvent): void {
    this.#durations.load.record(durationMs);
    if (outcome === 'failed') this.#totals.failedLoads += 1;
  }

  append({ outcome, durationMs }: AppendEvent): void {
    this.#durations.append.record(durationMs);
    if (outcome === 'failed') this.#totals.failedAppends += 1;
  }

  hold({ outcome, durationMs }: HoldEvent): void {
    if (outcome === 'held') {
      this.#totals.heldNow += 1;
      return;
    }
    this.#totals.heldNow -= 1;
    this.#durations.hold.record(durationMs);
  }

  /** Ends the current second. */
  endSecond(atMs: number, health: HealthState): Second {
    const { load, append, hold } = this.#durations;
    const second: Second = {
      atMs,
      requests: this.#requests,
      denials: this.#denials,
      health,
      load: load.summary(),
      append: append.summary(),
      hold: hold.summary(),
    };
    this.#requests = 0;
    this.#denials = 0;
    this.#seconds.push(second);
    if (this.#seconds.length > WINDOW_SECONDS) this.#seconds.shift();
    return second;
  }

  /** The seconds that have ended, oldest first. */
  get seconds(): readonly Second[] {
    return this.#seconds;
  }

  get totals(): Totals {
    return { ...this.#totals };
  }
}
