import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import type { SessionStoreCircuitChanged } from '../../contract/alarms.js';
import { AplSessionError } from '../../contract/errors.js';
import type { ValkeyCircuitBreakerOptions } from './valkey-config.js';

type State = SessionStoreCircuitChanged['state'];

const STATES: Readonly<Partial<Record<CircuitState, State>>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half_open',
};

/**
 * Refuses calls at once after a run of failures, until a probe succeeds. Only a server that cannot be reached or does
 * not answer counts: a refused command is an answer, and one session's must not shut out all others. The policy costs
 * more than the rest of a call to a healthy server does, so calls only go through it while there is trouble.
 */
export class ValkeyCircuitBreaker {
  readonly #policy;
  #troubled = false;

  constructor(
    { consecutiveFailures, halfOpenAfterMs }: Required<ValkeyCircuitBreakerOptions>,
    onState: (state: State) => void,
  ) {
    this.#policy = circuitBreaker(handleWhen(isOutage), {
      breaker: new ConsecutiveBreaker(consecutiveFailures),
      halfOpenAfter: halfOpenAfterMs,
    });
    this.#policy.onStateChange((state) => {
      const name = STATES[state];
      if (name) onState(name);
    });
  }

  /** Whether calls must go through `run`: something failed since the last success. */
  get troubled(): boolean {
    return this.#troubled;
  }

  /** Counts the failure of a call that did not go through `run`. A success of one need not be told: it changes no state. */
  report(error: unknown): void {
    if (!isOutage(error)) return;
    this.#troubled = true;
    // others that failed meanwhile may have opened it
    if (this.#policy.state === CircuitState.Closed) this.#policy.execute(() => Promise.reject(error)).catch(() => {});
  }

  /** Makes the call, or rejects with `store.circuit_open`. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    // calls that come while a probe is on its way would wait for it
    if (this.#policy.state === CircuitState.HalfOpen) throw refusal();
    try {
      const value = await this.#policy.execute(call);
      this.#troubled = this.#policy.state !== CircuitState.Closed;
      return value;
    } catch (error) {
      throw error instanceof BrokenCircuitError ? refusal() : error;
    }
  }
}

function isOutage(error: unknown): boolean {
  return error instanceof AplSessionError && (error.code === 'store.unavailable' || error.code === 'store.timeout');
}

function refusal(): AplSessionError {
  return new AplSessionError('store.circuit_open', 'Valkey is not asked: the circuit breaker is open.');
}
