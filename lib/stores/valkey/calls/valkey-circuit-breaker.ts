import type { SessionStoreCircuitChanged } from '../../../contract/alarms.js';
import { AplSessionError } from '../../../contract/errors.js';
import { now } from '../../../util/clock.js';
import type { ValkeyCircuitBreakerOptions } from '../config/valkey-config.js';

type State = SessionStoreCircuitChanged['state'];

/**
 * Refuses calls at once after a run of failures, until a probe succeeds. Only a server that cannot be reached or does
 * not answer counts: a refused command is an answer, and one session's must not shut out all others.
 */
export class ValkeyCircuitBreaker {
  readonly #options: Required<ValkeyCircuitBreakerOptions>;
  readonly #onState: (state: State) => void;
  #state: State = 'closed';
  /** How many outages there were in a row. */
  #failures = 0;
  #openedAtMs = 0;

  constructor(options: Required<ValkeyCircuitBreakerOptions>, onState: (state: State) => void) {
    this.#options = options;
    this.#onState = onState;
  }

  /** Whether calls must go through `run`: something failed since the last success. */
  get troubled(): boolean {
    return this.#failures > 0;
  }

  /** Counts the failure of a call that did not go through `run`. A success of one need not be told: it changes no state. */
  report(error: unknown): void {
    if (isOutage(error) && this.#state === 'closed') this.#count();
  }

  /** Makes the call, or rejects with `store.circuit_open`. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const isProbe = this.#state === 'open' && now() - this.#openedAtMs >= this.#options.halfOpenAfterMs;
    if (this.#state !== 'closed' && !isProbe) throw refusal();
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

  #count(): void {
    this.#failures += 1;
    if (this.#state === 'closed' && this.#failures < this.#options.consecutiveFailures) return;
    this.#openedAtMs = now();
    this.#become('open');
  }

  /** The server has answered. What was asked before the circuit opened says nothing about it. */
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

function refusal(): AplSessionError {
  return new AplSessionError('store.circuit_open', 'Valkey is not asked: the circuit breaker is open.');
}
