import type { AlarmReporter } from '../alarms/alarm-reporter.js';
import { AplSessionError } from '../contract/errors.js';
import { now } from '../util/clock.js';
import type { TimedCall } from '../util/deadlines.js';

type Operation = 'load' | 'append';

/** Publishes the calls of a store as events, and tells the alarms of successes after a failure. */
export class CallEvents {
  readonly #alarms: AlarmReporter;

  constructor(alarms: AlarmReporter) {
    this.#alarms = alarms;
  }

  /** Whether the result of a call is published, or can end a failure that lasts. */
  areWatched(operation: Operation): boolean {
    return this.#alarms.events.has(operation) || this.#alarms.failuresLast;
  }

  /** @param startedAtMs 0 if there was no subscriber when the call started */
  succeeded(operation: Operation, startedAtMs: number): void {
    const { events } = this.#alarms;
    if (this.#alarms.failuresLast) this.#alarms.storeSucceeded(operation);
    if (startedAtMs === 0) return;
    const durationMs = now() - startedAtMs;
    events.publishCall(operation, operation === 'load' ? 'loaded' : 'appended', durationMs);
  }

  failed(operation: Operation, startedAtMs: number, cause: unknown): void {
    if (startedAtMs === 0) return;
    const code = cause instanceof AplSessionError ? { code: cause.code } : undefined;
    this.#alarms.events.publish(operation, { outcome: 'failed', durationMs: now() - startedAtMs, ...code });
  }

  /** The same append, with an event for its result. */
  watched(call: TimedCall<void>): TimedCall<void> {
    return new WatchedAppend(this, call);
  }
}

/** A class, because an object literal would have three closures. */
class WatchedAppend implements TimedCall<void> {
  readonly #events: CallEvents;
  readonly #call: TimedCall<void>;
  readonly #startedAtMs = now();

  constructor(events: CallEvents, call: TimedCall<void>) {
    this.#events = events;
    this.#call = call;
  }

  get name(): string {
    return this.#call.name;
  }

  start(): PromiseLike<void> {
    return this.#call.start();
  }

  onValue(): void {
    this.#events.succeeded('append', this.#startedAtMs);
    this.#call.onValue();
  }

  onError(error: unknown): void {
    this.#events.failed('append', this.#startedAtMs, error);
    this.#call.onError(error);
  }
}
