import type { SessionStoreCircuitChanged } from '../../../contract/alarms.js';
import { AplSessionError } from '../../../contract/errors.js';
import { now } from '../../../util/clock.js';
import type { ValkeyCircuitBreakerOptions } from '../config/valkey-config.js';

type State = SessionStoreCircuitChanged['state'];

/**
 * Rejects calls immediately after several outages in a row, until a probe succeeds. An outage is a lost connection or a
 * timeout. An error reply does not count: one session with a bad key must not block all others.
 */
export class ValkeyCircuitBreaker {
  readonly #options: Required<ValkeyCircuitBreakerOptions>;
  readonly #onState: (state: State) => void;
  #state: State = 'closed';
  /** The number of outages in a row. */
  #failures = 0;
  #openedAtMs = 0;

  constructor(options: Required<ValkeyCircuitBreakerOptions>, onState: (state: State) => void) {
    this.#options = options;
    this.#onState = onState;
  }

  /** The state for the next call: an open circuit lets one call through when its time is over. */
  get state(): State {
    return this.#isDue() ? 'half_open' : this.#state;
  }

  /** Whether calls must go through `run`, because a call has failed since the last success. */
  get troubled(): boolean {
    return this.#failures > 0;
  }

  /** Counts the failure of a call outside `run`. A success outside `run` does not change the state. */
  report(error: unknown): void {
    if (isOutage(error) && this.#state === 'closed') this.#count();
  }

  /** Makes the call, or rejects with `store.circuit_open`. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const isProbe = this.#isDue();
    if (this.#state !== 'closed' && !isProbe) throw circuitOpen();
    if (isProbe) this.#become('half_open');
    try {
      const value = await call();
      this.#settle(isProbe);
      return value;
    } catch (error) {
      if (!isOutage(error)) this.#settle(isProbe, this.#failures);
      else if (isProbe || this.#state === 'closed') this.#count();
      throw error;
    }
  }

  #isDue(): boolean {
    return this.#state === 'open' && now() - this.#openedAtMs >= this.#options.halfOpenAfterMs;
  }

  #count(): void {
    this.#failures += 1;
    if (this.#state === 'closed' && this.#failures < this.#options.consecutiveFailures) return;
    this.#openedAtMs = now();
    this.#become('open');
  }

  /** The server has answered. Only the answer to a probe closes an open circuit, not an answer to an older call. */
  #settle(isProbe: boolean, failures = 0): void {
    if (!isProbe && this.#state !== 'closed') return;
    this.#failures = isProbe ? 0 : failures;
    if (isProbe) this.#become('closed');
  }

  #become(state: State): void {
    this.#state = state;
    this.#onState(state);
  }
}

function isOutage(error: unknown): boolean {
  return error instanceof AplSessionError && (error.code === 'store.unavailable' || error.code === 'store.timeout');
}

function circuitOpen(): AplSessionError {
  return new AplSessionError(
    'store.circuit_open',
    'The call was not sent to Valkey, because the circuit breaker is open.',
  );
}
