import type { SessionStoreCircuitChanged } from '../../../contract/alarms.js';
import { AplSessionError } from '../../../contract/errors.js';
import type { StoreCircuit } from '../../../contract/store-status.js';
import { now, setTimeout } from '../../../util/clock.js';
import { Deadlines, type TimedCall, withDeadline } from '../../../util/deadlines.js';
import type { ValkeyConfig } from '../config/valkey-config.js';
import type { ValkeyLink } from '../connection/valkey-link.js';
import { isDemotion } from '../protocol/reply-error.js';
import { isTransient, toStoreError } from '../protocol/store-error.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';
import { ValkeyCircuitBreaker } from './valkey-circuit-breaker.js';

/** A call of the store. It must be idempotent, because it may be sent twice. */
export interface ValkeyCall<T> {
  readonly name: string;
  readonly link: ValkeyLink;
  /** The key decides which node of a cluster gets the call. Without a key, any server is suitable. */
  readonly key?: string;
  command(wire: ValkeyAsker): Promise<T>;
}

/** How many redirects in a row are followed without a pause: two nodes that disagree redirect a call in a loop. */
const QUICK_DETOURS = 3;
const MIN_PAUSE_MS = 5;
const MAX_PAUSE_MS = 30;

/** Sends calls with a deadline, and with one retry and a circuit breaker if the options say so. */
export class ValkeyCaller {
  /** The maximum duration of a call, including its retry. */
  readonly deadlineMs: number;
  readonly #config: ValkeyConfig;
  readonly #deadlines: Deadlines;
  readonly #breaker: ValkeyCircuitBreaker | undefined;

  readonly #onFailure: (failure: AplSessionError, call: string) => void;

  /** @param onFailure called with the name of a call that has failed, after its retry */
  constructor(
    config: ValkeyConfig,
    onCircuit: (state: SessionStoreCircuitChanged['state']) => void,
    onFailure: (failure: AplSessionError, call: string) => void,
  ) {
    this.deadlineMs = config.connectTimeoutMs + config.commandTimeoutMs;
    this.#config = config;
    this.#onFailure = onFailure;
    this.#deadlines = new Deadlines(
      config.commandTimeoutMs,
      (operation) =>
        new AplSessionError(
          'store.timeout',
          `Valkey did not answer the ${operation} within ${config.commandTimeoutMs} ms.`,
        ),
    );
    if (config.circuitBreaker) this.#breaker = new ValkeyCircuitBreaker(config.circuitBreaker, onCircuit);
  }

  get circuit(): StoreCircuit {
    return this.#breaker?.state ?? 'off';
  }

  /** Rejects only with an AplSessionError. */
  call<T>(call: ValkeyCall<T>): Promise<T> {
    const breaker = this.#breaker;
    return breaker?.troubled ? breaker.run(() => this.#callOrRetry(call)) : this.#callOrRetry(call, breaker);
  }

  /** Waits for a reply at most `commandTimeoutMs`, then closes the connection. */
  watch<T>(call: TimedCall<T>, wire: ValkeyAsker): void {
    this.#deadlines.run({
      name: call.name,
      start: () => call.start(),
      onValue: (value) => call.onValue(value),
      onError: (error) => {
        closeIfUseless(wire, error);
        call.onError(error);
      },
    });
  }

  #callOrRetry<T>(call: ValkeyCall<T>, breaker?: ValkeyCircuitBreaker): Promise<T> {
    const startedMs = now();
    return this.#attempt(call).catch(async (error) => {
      try {
        return await this.#afterFailure(call, error, startedMs);
      } catch (failure) {
        breaker?.report(failure);
        this.#onFailure(failure as AplSessionError, call.name);
        throw failure;
      }
    });
  }

  #attempt<T>(call: ValkeyCall<T>): Promise<T> {
    const wire = call.link.wireNow(call.key);
    return wire ? this.#run(call, wire) : call.link.wire(call.key).then((ready) => this.#run(call, ready));
  }

  #run<T>(call: ValkeyCall<T>, wire: ValkeyAsker): Promise<T> {
    return this.#deadlines.promise(
      call.name,
      () => call.command(wire),
      (error) => closeIfUseless(wire, error),
    );
  }

  /**
   * Follows the redirects of a cluster, and retries once after a transient failure. If the retry fails too, the call
   * rejects with the first failure, which names the cause.
   */
  async #afterFailure<T>(call: ValkeyCall<T>, firstError: unknown, startedMs: number): Promise<T> {
    let error = firstError;
    let failure = toStoreError(call.name, error);
    let retried = !this.#config.retry;
    // only a pause of this process makes the first failure so late; do not count that time against the server
    const countsFromMs = now() - startedMs > this.deadlineMs ? now() : startedMs;
    for (let attempt = 0; ; attempt += 1) {
      const detour = call.link.detour?.(error, call.key);
      if (!detour && (retried || !isTransient(error))) throw failure;
      if (!detour) retried = true;
      const isQuick = detour?.isQuick && attempt < QUICK_DETOURS;
      const pauseMs = isQuick ? 0 : MIN_PAUSE_MS + Math.random() * (MAX_PAUSE_MS - MIN_PAUSE_MS);
      const leftMs = this.deadlineMs - (now() - countsFromMs);
      if (pauseMs >= leftMs) throw failure;
      const resend = async (): Promise<T> => {
        // not unref'd: the process must not exit before the result of an append is known
        if (pauseMs > 0) await new Promise<void>((resolve) => setTimeout(resolve, pauseMs));
        return detour ? this.#run(call, await detour.wire()) : this.#attempt(call);
      };
      try {
        return await withDeadline(resend, leftMs, () => failure);
      } catch (nextError) {
        error = nextError;
        // after a redirect the new error is the cause, not the redirect
        if (detour) failure = toStoreError(call.name, error);
      }
    }
  }
}

/** Closes a connection that did not answer in time or leads to a replica, so that the next call gets a new one. */
export function closeIfUseless(wire: ValkeyAsker, error: unknown): void {
  if (error instanceof AplSessionError && error.code === 'store.timeout') {
    wire.giveUp('The server did not answer in time.');
  } else if (isDemotion(error)) {
    wire.giveUp('The server is a replica.');
  }
}
