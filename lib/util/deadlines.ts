import { AsyncResource } from 'node:async_hooks';
import { microtask, now } from './clock.js';
import { isPromiseLike } from './maybe-promise.js';
import { PatientTimer } from './patient-timer.js';

/**
 * A call with a deadline. Either `onValue` or `onError` is called, never synchronously, in the asynchronous context in
 * which the call was started. Both must not throw.
 */
export interface TimedCall<T> {
  readonly name: string;
  start(): PromiseLike<T>;
  onValue(value: T): void;
  onError(error: unknown): void;
}

/** A call in flight. An AsyncResource, because another request may have started the timer that ends the call. */
class Running extends AsyncResource {
  readonly call: Pick<TimedCall<unknown>, 'name' | 'onError'>;
  readonly expiresAtMs: number;

  constructor(call: Running['call'], expiresAtMs: number) {
    super('express-apl-session.call');
    this.call = call;
    this.expiresAtMs = expiresAtMs;
  }
}

const TIMER_RESOLUTION_MS = 1;

/**
 * A deadline for many calls with the same timeout. A pause of this process does not count, see {@link PatientTimer}.
 * Calls expire in the order in which they start, so they share one timer, and a call is one object: a timer, a promise
 * and closures for each call are a considerable part of the cost of a request.
 */
export class Deadlines {
  readonly #timeoutMs: number;
  readonly #errorOf: (name: string) => Error;
  /** The calls in flight, oldest first: a Set iterates in the order of insertion. */
  readonly #running = new Set<Running>();
  /** Runs until the timeout of the last call has passed, even if that call has settled. The timer never keeps the process alive. */
  readonly #timer: PatientTimer;
  /** Callbacks for the moment when no call is in flight. */
  #onIdle: Array<() => void> = [];

  /** @param errorOf makes the error of a call, by its name, that did not settle within `timeoutMs` */
  constructor(timeoutMs: number, errorOf: (name: string) => Error) {
    this.#timeoutMs = timeoutMs;
    this.#errorOf = errorOf;
    this.#timer = new PatientTimer((atMs) => this.#expire(atMs), timeoutMs);
  }

  /**
   * Starts the call, and calls back when it has settled or its deadline has passed. A synchronous throw is a failure,
   * and so is a return value that is not a promise. A result after the deadline is ignored.
   * @returns the asynchronous context of the call
   */
  run<T>(call: TimedCall<T>): AsyncResource {
    // V8 stores a fraction as an object, an integer not
    const running = new Running(call, Math.ceil(now()) + this.#timeoutMs);
    this.#running.add(running);
    if (!this.#timer.running) this.#timer.start(this.#timeoutMs);
    const fail = (error: unknown): void => {
      if (this.#end(running)) call.onError(error);
    };
    try {
      const answer: unknown = call.start();
      if (!isPromiseLike(answer)) throw new TypeError('The call must return a promise: an object with then().');
      // a foreign promise may call back synchronously, or twice
      Promise.resolve(answer as PromiseLike<T>).then((value) => {
        if (this.#end(running)) call.onValue(value);
      }, fail);
    } catch (error) {
      microtask(() => fail(error));
    }
    return running;
  }

  /** Like `run`, but returns a promise. */
  promise<T>(name: string, start: () => PromiseLike<T>): Promise<T> {
    return new Promise((onValue, onError) => this.run({ name, start, onValue, onError }));
  }

  /** Resolves when no call is in flight. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Ends the calls whose deadline has passed. The call that started the timer may have settled already. */
  #expire(atMs: number): void {
    try {
      // Do not read the clock again in this loop: the time that callbacks take must not count against the other calls.
      const nowMs = atMs + TIMER_RESOLUTION_MS;
      for (const running of this.#running) {
        if (running.expiresAtMs > nowMs) break;
        const { call } = running;
        this.#end(running);
        running.runInAsyncScope(() => call.onError(this.#errorOf(call.name)));
      }
    } finally {
      // the other calls need their deadline even if a callback has thrown
      const [next] = this.#running;
      if (next) this.#timer.start(Math.max(Math.ceil(next.expiresAtMs - now()), 0));
      else this.#timer.stop();
    }
  }

  /** Removes a call. Returns false if it was removed before. */
  #end(running: Running): boolean {
    if (!this.#running.delete(running)) return false;
    if (this.#running.size === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
    return true;
  }
}

/** Like {@link Deadlines}, for one call. */
export function withDeadline<T>(start: () => PromiseLike<T>, timeoutMs: number, onTimeout: () => Error): Promise<T> {
  return new Deadlines(timeoutMs, onTimeout).promise('call', start);
}
