import type { SessionStoreCircuitChanged } from '../../../contract/alarms.js';
import { AplSessionError } from '../../../contract/errors.js';
import { now, setTimeout } from '../../../util/clock.js';
import { Deadlines, type TimedCall, withDeadline } from '../../../util/deadlines.js';
import type { ValkeyConfig } from '../config/valkey-config.js';
import type { ValkeyLink } from '../connection/valkey-link.js';
import { isDemotion } from '../protocol/reply-error.js';
import { isTransient, toStoreError } from '../protocol/store-error.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';
import { ValkeyCircuitBreaker } from './valkey-circuit-breaker.js';

/** A call of the store. Its command must be one that may be applied twice. */
export interface ValkeyCall<T> {
  readonly name: string;
  /** What decides where a cluster keeps it. Without a key any server will do. */
  readonly key?: string;
  command(wire: ValkeyAsker): Promise<T>;
}

/** So often in a row a cluster may send a call on at once: two nodes that disagree would send it to and fro. */
const QUICK_DETOURS = 3;
const MIN_PAUSE_MS = 5;
const MAX_PAUSE_MS = 30;

/** Makes calls: each has its deadlines, whatever the server does, and one retry and a circuit breaker if configured. */
export class ValkeyCaller {
  /** The longest that a call may take, its retry included. */
  readonly deadlineMs: number;
  readonly #link: ValkeyLink;
  readonly #config: ValkeyConfig;
  readonly #deadlines: Deadlines;
  readonly #breaker: ValkeyCircuitBreaker | undefined;

  constructor(link: ValkeyLink, config: ValkeyConfig, onCircuit: (state: SessionStoreCircuitChanged['state']) => void) {
    this.deadlineMs = config.connectTimeoutMs + config.commandTimeoutMs;
    this.#link = link;
    this.#config = config;
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

  /** Rejects with a store error only. */
  call<T>(call: ValkeyCall<T>): Promise<T> {
    const breaker = this.#breaker;
    return breaker?.troubled ? breaker.run(() => this.#callOrRetry(call)) : this.#callOrRetry(call, breaker);
  }

  /** Waits for a reply at most `commandTimeoutMs`; a connection that does not answer in time is given up. */
  watch<T>(call: TimedCall<T>, wire: ValkeyAsker): void {
    this.#deadlines.run({
      name: call.name,
      start: () => call.start(),
      onValue: (value) => call.onValue(value),
      onError: (error) => {
        leaveIfUseless(wire, error);
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
        throw failure;
      }
    });
  }

  #attempt<T>(call: ValkeyCall<T>): Promise<T> {
    const wire = this.#link.wireNow(call.key);
    return wire ? this.#run(call, wire) : this.#link.wire(call.key).then((ready) => this.#run(call, ready));
  }

  #run<T>(call: ValkeyCall<T>, wire: ValkeyAsker): Promise<T> {
    return new Promise((onValue, reject) => {
      this.#deadlines.run({
        name: call.name,
        start: () => call.command(wire),
        onValue,
        onError(error) {
          leaveIfUseless(wire, error);
          reject(error);
        },
      });
    });
  }

  /**
   * Goes where a cluster sends the call, and tries again once where that may help. If that fails as well, the first
   * failure is what tells why.
   */
  async #afterFailure<T>(call: ValkeyCall<T>, firstError: unknown, startedMs: number): Promise<T> {
    let error = firstError;
    let failure = toStoreError(call.name, error);
    let retried = !this.#config.retry;
    // only a pause of this process makes a first failure come so late, and the server is not to blame for that
    const countsFromMs = now() - startedMs > this.deadlineMs ? now() : startedMs;
    for (let turn = 0; ; turn += 1) {
      const detour = this.#link.detour?.(error, call.key);
      if (!detour && (retried || !isTransient(error))) throw failure;
      if (!detour) retried = true;
      const isQuick = detour?.isQuick && turn < QUICK_DETOURS;
      const pauseMs = isQuick ? 0 : MIN_PAUSE_MS + Math.random() * (MAX_PAUSE_MS - MIN_PAUSE_MS);
      const leftMs = this.deadlineMs - (now() - countsFromMs);
      if (pauseMs >= leftMs) throw failure;
      const again = async (): Promise<T> => {
        // keeps the process alive: where all else was closed, nobody would hear how an append ended
        if (pauseMs > 0) await new Promise<void>((resolve) => setTimeout(resolve, pauseMs));
        return detour ? this.#run(call, await detour.wire()) : this.#attempt(call);
      };
      try {
        return await withDeadline(again, leftMs, () => failure);
      } catch (nextError) {
        error = nextError;
        // that a cluster had sent the call elsewhere explains nothing
        if (detour) failure = toStoreError(call.name, error);
      }
    }
  }
}

/** A connection that is silent, or leads to a replica: the next one may be better. */
function leaveIfUseless(wire: ValkeyAsker, error: unknown): void {
  if (error instanceof AplSessionError && error.code === 'store.timeout') {
    wire.giveUp('The server did not answer in time.');
  } else if (isDemotion(error)) {
    wire.giveUp('The server is a replica.');
  }
}
