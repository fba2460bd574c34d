import type { SessionStore } from '../contract/session-store.js';
import type { StoreStatus } from '../contract/store-status.js';
import { type ProbeResult, StoreProbe } from '../health/store-probe.js';
import { wallClock } from '../util/clock.js';

/**
 * `unknown`: the dashboard has no store, or the store was not used yet. `circuit_open`: the circuit breaker refuses calls, and
 * the server may be reachable.
 */
export type HealthState = 'reachable' | 'unreachable' | 'circuit_open' | 'unknown';

/** A change of the state. */
interface HealthChange {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly state: HealthState;
  /** Why, for a failure. */
  readonly reason?: string;
}

export interface HealthReport {
  readonly state: HealthState;
  /** The newest change comes first. */
  readonly changes: readonly HealthChange[];
  /** The result of the last probe. Probes are sent only while a page is open. */
  readonly probe?: ProbeResult;
  readonly status?: StoreStatus;
}

const MAX_CHANGES = 20;
/** How long a probe says more than the status of the store. */
const PROBE_VALID_MS = 3_000;
const PROBE_CACHE_MS = 400;

/** Knows whether the store can be reached, and since when. */
export class StoreHealth {
  readonly #store: SessionStore | undefined;
  readonly #probe: StoreProbe | undefined;
  readonly #changes: HealthChange[] = [];
  #state: HealthState = 'unknown';
  #result: ProbeResult | undefined;
  #resultAtMs = 0;
  #status: StoreStatus | undefined;

  constructor(store: SessionStore | undefined) {
    this.#store = store;
    const isProbeable = store?.ping !== undefined || store?.ready !== undefined;
    if (store && isProbeable) this.#probe = new StoreProbe(store, PROBE_CACHE_MS);
  }

  get state(): HealthState {
    return this.#state;
  }

  /** Reads the status of the store, without I/O. Returns whether the state has changed. */
  sample(): boolean {
    this.#status = statusOf(this.#store);
    return this.#decide();
  }

  /** Calls the store once. Resolves with whether the state has changed; never rejects. */
  async probe(): Promise<boolean> {
    if (!this.#probe) return this.sample();
    this.#result = await this.#probe.result();
    this.#resultAtMs = wallClock();
    return this.sample();
  }

  report(): HealthReport {
    return {
      state: this.#state,
      changes: this.#changes.toReversed(),
      ...(this.#result && { probe: this.#result }),
      ...(this.#status && { status: this.#status }),
    };
  }

  #decide(): boolean {
    const { state, reason } = this.#found();
    if (state === this.#state) return false;
    this.#state = state;
    this.#changes.push({ atMs: wallClock(), state, ...(reason !== undefined && { reason }) });
    if (this.#changes.length > MAX_CHANGES) this.#changes.shift();
    return true;
  }

  #found(): { readonly state: HealthState; readonly reason?: string } {
    const { circuit, connected, lastFailure } = this.#status ?? {};
    const failure = lastFailure && { reason: lastFailure.reason };
    if (circuit === 'open') return { state: 'circuit_open', ...failure };
    const probe = wallClock() - this.#resultAtMs < PROBE_VALID_MS ? this.#result : undefined;
    if (probe) return probe.reachable ? { state: 'reachable' } : { state: 'unreachable', reason: probe.reason };
    if (connected) return { state: 'reachable' };
    return failure ? { state: 'unreachable', ...failure } : { state: 'unknown' };
  }
}

/** A store of the app may have a status() that throws. */
function statusOf(store: SessionStore | undefined): StoreStatus | undefined {
  try {
    return store?.status?.();
  } catch {
    return undefined;
  }
}
