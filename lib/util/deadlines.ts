import { AsyncResource } from 'node:async_hooks';
import { microtask, now } from './clock.js';
import { type Linked, LinkedList } from './linked-list.js';
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

/** A call in flight. */
interface InFlight extends Linked<InFlight> {
  readonly name: string;
  readonly expiresAtMs: number;
  /** Tells the caller that the deadline has passed. */
  expire(error: Error): void;
}

/** An AsyncResource, because another request may have started the timer that ends the call. */
class Running<T> extends AsyncResource implements InFlight {
  readonly name: string;
  readonly expiresAtMs: number;
  isLinked = false;
  earlier: InFlight | undefined = undefined;
  later: InFlight | undefined = undefined;
  #call: TimedCall<T> | undefined;

  constructor(call: TimedCall<T>, expiresAtMs: number) {
    super('express-apl-session.call');
    this.name = call.name;
    this.expiresAtMs = expiresAtMs;
    this.#call = call;
  }

  expire(error: Error): void {
    this.runInAsyncScope(() => this.take()?.onError(error));
  }

  /** Returns the call once, and forgets it: a request keeps this object, as its context, longer than the call. */
  take(): TimedCall<T> | undefined {
    const call = this.#call;
    this.#call = undefined;
    return call;
  }
}

/** A call whose caller has a promise, which keeps the context by itself. */
class Promised implements InFlight {
  readonly name: string;
  readonly expiresAtMs: number;
  readonly expire: (error: unknown) => void;
  isLinked = false;
  earlier: InFlight | undefined = undefined;
  later: InFlight | undefined = undefined;

  constructor(name: string, expiresAtMs: number, onExpired: (error: unknown) => void) {
    this.name = name;
    this.expiresAtMs = expiresAtMs;
    this.expire = onExpired;
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
  /** The calls in flight, oldest first. */
  readonly #running = new LinkedList<InFlight>();
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
    const running = new Running(call, this.#expiry());
    this.#begin(running);
    const fail = (error: unknown): void => {
      if (this.#end(running)) running.take()?.onError(error);
    };
    try {
      settled(call.start()).then((value) => {
        if (this.#end(running)) running.take()?.onValue(value);
      }, fail);
    } catch (error) {
      microtask(() => fail(error));
    }
    return running;
  }

  /**
   * Like `run`, but returns a promise.
   * @param onFailure called before the promise rejects, also when the deadline has passed; then in any context. It must not throw.
   */
  promise<T>(name: string, start: () => PromiseLike<T>, onFailure?: (error: unknown) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        onFailure?.(error);
        reject(error);
      };
      const promised = new Promised(name, this.#expiry(), fail);
      this.#begin(promised);
      const failOnce = (error: unknown): void => {
        if (this.#end(promised)) fail(error);
      };
      try {
        settled(start()).then((value) => {
          if (this.#end(promised)) resolve(value);
        }, failOnce);
      } catch (error) {
        failOnce(error);
      }
    });
  }

  #expiry(): number {
    // V8 stores a fraction as an object, an integer not
    return Math.ceil(now()) + this.#timeoutMs;
  }

  #begin(call: InFlight): void {
    this.#running.add(call);
    if (!this.#timer.running) this.#timer.start(this.#timeoutMs);
  }

  /** Resolves when no call is in flight. */
  async idle(): Promise<void> {
    while (this.#running.first) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Ends the calls whose deadline has passed. The call that started the timer may have settled already. */
  #expire(atMs: number): void {
    try {
      // Do not read the clock again in this loop: the time that callbacks take must not count against the other calls.
      const nowMs = atMs + TIMER_RESOLUTION_MS;
      for (let call = this.#running.first; call && call.expiresAtMs <= nowMs; call = this.#running.first) {
        this.#end(call);
        call.expire(this.#errorOf(call.name));
      }
    } finally {
      // the other calls need their deadline even if a callback has thrown
      const next = this.#running.first;
      if (next) this.#timer.start(Math.max(Math.ceil(next.expiresAtMs - now()), 0));
      else this.#timer.stop();
    }
  }

  /** Removes a call. Returns false if it was removed before. */
  #end(call: InFlight): boolean {
    if (!this.#running.remove(call)) return false;
    if (!this.#running.first && this.#onIdle.length > 0) for (const resolve of this.#onIdle.splice(0)) resolve();
    return true;
  }
}

/** A foreign promise may call back synchronously, or twice. */
function settled<T>(answer: PromiseLike<T>): Promise<T> {
  if (!isPromiseLike(answer as unknown)) throw new TypeError('The call must return a promise: an object with then().');
  return Promise.resolve(answer);
}

/** Like {@link Deadlines}, for one call. */
export function withDeadline<T>(start: () => PromiseLike<T>, timeoutMs: number, onTimeout: () => Error): Promise<T> {
  return new Deadlines(timeoutMs, onTimeout).promise('call', start);
}
