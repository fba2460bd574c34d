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

/** An entry of a circular list of the calls in flight, oldest first. */
interface Link {
  before: Link;
  /** `undefined` once the call is settled. */
  after: Link | undefined;
}

/** A call in flight. An AsyncResource, because another request may have started the timer that ends the call. */
class Running extends AsyncResource implements Link {
  readonly call: Pick<TimedCall<unknown>, 'name' | 'onError'>;
  readonly expiresAtMs: number;
  before: Link;
  after: Link | undefined;

  constructor(call: Running['call'], expiresAtMs: number, ends: Link) {
    super('express-apl-session.call');
    this.call = call;
    this.expiresAtMs = expiresAtMs;
    this.before = ends.before;
    this.after = ends;
    ends.before.after = this;
    ends.before = this;
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
  /** The head of the circular list. */
  readonly #ends: Link & { after: Link };
  /** Runs until the timeout of the last call has passed, even if that call has settled. The timer never keeps the process alive. */
  readonly #timer: PatientTimer;
  /** Callbacks for the moment when no call is in flight. */
  #onIdle: Array<() => void> = [];

  /** @param errorOf makes the error of a call, by its name, that did not settle within `timeoutMs` */
  constructor(timeoutMs: number, errorOf: (name: string) => Error) {
    this.#timeoutMs = timeoutMs;
    this.#errorOf = errorOf;
    const ends = {} as Link;
    ends.before = ends;
    this.#ends = Object.assign(ends, { after: ends });
    this.#timer = new PatientTimer((atMs) => this.#expire(atMs), timeoutMs);
  }

  /**
   * Starts the call, and calls back when it has settled or its deadline has passed. A synchronous throw is a failure, and
   * so is a return value that is not a promise. A result after the deadline is ignored.
   * @returns the asynchronous context of the call
   */
  run<T>(call: TimedCall<T>): AsyncResource {
    // V8 stores a fraction as an object, an integer not
    const running = new Running(call, Math.ceil(now()) + this.#timeoutMs, this.#ends);
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
    while (this.#first) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Ends the calls whose deadline has passed. The call that started the timer may have settled already. */
  #expire(atMs: number): void {
    try {
      // Do not read the clock again in this loop: what the callbacks take must not count against the other calls.
      const nowMs = atMs + TIMER_RESOLUTION_MS;
      for (let first = this.#first; first && first.expiresAtMs <= nowMs; first = this.#first) {
        const { call } = first;
        this.#end(first);
        first.runInAsyncScope(() => call.onError(this.#errorOf(call.name)));
      }
    } finally {
      // the other calls need their deadline even if a callback has thrown
      const next = this.#first;
      if (next) this.#timer.start(Math.max(Math.ceil(next.expiresAtMs - now()), 0));
      else this.#timer.stop();
    }
  }

  /** The call that expires next. */
  get #first(): Running | undefined {
    const { after } = this.#ends;
    return after instanceof Running ? after : undefined;
  }

  /** Removes a call from the list. Returns false if the call had been removed before. */
  #end(running: Running): boolean {
    const { before, after } = running;
    if (!after) return false;
    before.after = after;
    after.before = before;
    running.after = undefined;
    if (before === after) for (const resolve of this.#onIdle.splice(0)) resolve();
    return true;
  }
}

/** A deadline for one call, as {@link Deadlines} has it for many. */
export function withDeadline<T>(start: () => PromiseLike<T>, timeoutMs: number, onTimeout: () => Error): Promise<T> {
  return new Deadlines(timeoutMs, onTimeout).promise('call', start);
}
