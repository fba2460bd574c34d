import { setTimeout as delay } from 'node:timers/promises';
import type { SessionStoreCircuitChanged } from '../../contract/alarms.js';
import { now } from '../../contract/clock.js';
import { withDeadline } from '../../contract/deadline.js';
import { Deadlines, type TimedCall } from '../../contract/deadlines.js';
import { AplSessionError } from '../../contract/errors.js';
import { ValkeyCircuitBreaker } from './valkey-circuit-breaker.js';
import type { ValkeyClient } from './valkey-client.js';
import type { ValkeyConfig } from './valkey-config.js';
import { isDemotion, isPassing, toStoreError } from './valkey-faults.js';
import type { ValkeyLink } from './valkey-link.js';

type Command<T> = (client: ValkeyClient) => Promise<T>;

const MIN_PAUSE_MS = 5;
const MAX_PAUSE_MS = 30;

/** Makes calls: each has its deadlines, whatever the server does, and one retry and a circuit breaker if configured. */
export class ValkeyCaller {
  /** The longest that a call may take, its retry included. */
  readonly deadlineMs: number;
  readonly #connection: ValkeyLink;
  readonly #config: ValkeyConfig;
  readonly #deadlines: Deadlines;
  readonly #breaker: ValkeyCircuitBreaker | undefined;

  constructor(
    connection: ValkeyLink,
    config: ValkeyConfig,
    onCircuit: (state: SessionStoreCircuitChanged['state']) => void,
  ) {
    this.deadlineMs = config.connectTimeoutMs + config.commandTimeoutMs;
    this.#connection = connection;
    this.#config = config;
    this.#deadlines = new Deadlines(config.commandTimeoutMs, (operation) => {
      connection.reset();
      return new AplSessionError(
        'store.timeout',
        `Valkey did not answer the ${operation} within ${config.commandTimeoutMs} ms.`,
      );
    });
    if (config.circuitBreaker) this.#breaker = new ValkeyCircuitBreaker(config.circuitBreaker, onCircuit);
  }

  /** Rejects with a store error only. The command must be one that may be applied twice. */
  call<T>(operation: string, command: Command<T>): Promise<T> {
    const breaker = this.#breaker;
    return breaker?.troubled
      ? breaker.run(() => this.#callOrRetry(operation, command))
      : this.#callOrRetry(operation, command, breaker);
  }

  /** Waits for a reply at most `commandTimeoutMs`; a connection that does not answer in time is given up. */
  watch<T>(command: TimedCall<T>): void {
    this.#deadlines.run(command);
  }

  #callOrRetry<T>(operation: string, command: Command<T>, breaker?: ValkeyCircuitBreaker): Promise<T> {
    const startedMs = now();
    return this.#attempt(operation, command).catch(async (error) => {
      try {
        return await this.#afterFailure(operation, command, { error, startedMs });
      } catch (failure) {
        breaker?.report(failure);
        throw failure;
      }
    });
  }

  #attempt<T>(operation: string, command: Command<T>): Promise<T> {
    const now = this.#connection.readyNow();
    if (now) return this.#deadlines.promise(operation, () => command(now));
    return this.#connection.ready().then((client) => this.#deadlines.promise(operation, () => command(client)));
  }

  /** Tries again where that may help. If that fails as well, the first failure is what tells why. */
  async #afterFailure<T>(
    operation: string,
    command: Command<T>,
    { error, startedMs }: { readonly error: unknown; readonly startedMs: number },
  ): Promise<T> {
    this.#leaveReplica(error);
    const failure = toStoreError(operation, error);
    const leftMs = this.deadlineMs - (now() - startedMs);
    const pauseMs = MIN_PAUSE_MS + Math.random() * (MAX_PAUSE_MS - MIN_PAUSE_MS);
    if (!this.#config.retry || !isPassing(error) || pauseMs >= leftMs) throw failure;
    const again = async (): Promise<T> => {
      await delay(pauseMs, undefined, { ref: false });
      return this.#attempt(operation, command);
    };
    try {
      return await withDeadline(again, leftMs, () => failure);
    } catch (secondError) {
      this.#leaveReplica(secondError);
      throw failure;
    }
  }

  /** The next connection may lead to the new primary. */
  #leaveReplica(error: unknown): void {
    if (isDemotion(error)) this.#connection.reset();
  }
}
