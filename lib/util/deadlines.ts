import { AsyncResource } from 'node:async_hooks';
import { microtask, now } from './clock.js';
import { isPromiseLike } from './maybe-promise.js';
import { PatientTimer } from './patient-timer.js';

/**
 * A call whose time is limited. Of `onValue` and `onError`, which must not throw, one is called, and that later, in the
 * asynchronous context in which the call was started.
 */
export interface TimedCall<T> {
  readonly name: string;
  start(): PromiseLike<T>;
  onValue(value: T): void;
  onError(error: unknown): void;
}

/** A place in the ring of all calls. */
interface Link {
  before: Link;
  /** `undefined` once the call is settled. */
  after: Link | undefined;
}

/** A call under way. The timer that ends it may have been started by another request. */
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
 * The deadline of many calls that may all take equally long. It measures those who are to answer: a pause of this
 * process is not counted against them, see {@link PatientTimer}. Calls expire in the order in which they began, so one timer serves them
 * all, and who waits is an object: a timer, a promise and some functions for each would be a good part of what a
 * request costs.
 */
export class Deadlines {
  readonly #timeoutMs: number;
  readonly #errorOf: (name: string) => Error;
  /** Where the ring begins and ends. */
  readonly #ends: Link & { after: Link };
  /** Runs while a call is under way, and until the time of the last one is over. */
  readonly #timer: PatientTimer;
  /** Who waits until no call is under way. */
  #onIdle: Array<() => void> = [];

  /** @param errorOf how the call of this name fails once it has taken `timeoutMs` */
  constructor(timeoutMs: number, errorOf: (name: string) => Error) {
    this.#timeoutMs = timeoutMs;
    this.#errorOf = errorOf;
    const ends = {} as Link;
    ends.before = ends;
    this.#ends = Object.assign(ends, { after: ends });
    this.#timer = new PatientTimer((atMs) => this.#expire(atMs), timeoutMs);
  }

  /**
   * Starts the call, and tells it when it has settled, or its time is up. A synchronous throw is a failure, and so is
   * what is no promise; what comes after the deadline is ignored. The timer never keeps the process alive.
   * @returns the asynchronous context of the call
   */
  run<T>(call: TimedCall<T>): AsyncResource {
    // a whole number is no object of its own
    const running = new Running(call, Math.ceil(now()) + this.#timeoutMs, this.#ends);
    if (!this.#timer.running) this.#timer.start(this.#timeoutMs);
    const fail = (error: unknown): void => {
      if (this.#end(running)) call.onError(error);
    };
    try {
      const answer: unknown = call.start();
      if (!isPromiseLike(answer)) throw new TypeError('What was returned is no promise: it has no then().');
      // one that is not of the language may call back at once, or twice
      Promise.resolve(answer as PromiseLike<T>).then((value) => {
        if (this.#end(running)) call.onValue(value);
      }, fail);
    } catch (error) {
      microtask(() => fail(error));
    }
    return running;
  }

  /** The same, for who needs a promise. */
  promise<T>(name: string, start: () => PromiseLike<T>): Promise<T> {
    return new Promise((onValue, onError) => this.run({ name, start, onValue, onError }));
  }

  /** Waits until no call is under way. */
  async idle(): Promise<void> {
    while (this.#first) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** The call that the timer was set for may be settled: calls leave the timer as it is. */
  #expire(atMs: number): void {
    try {
      // calls of one moment expire together: what the first one's error does must not decide about the others. A pause
      // of this process since the look at the sockets began counts against none
      const nowMs = atMs + TIMER_RESOLUTION_MS;
      for (let first = this.#first; first && first.expiresAtMs <= nowMs; first = this.#first) {
        const { call } = first;
        this.#end(first);
        first.runInAsyncScope(() => call.onError(this.#errorOf(call.name)));
      }
    } finally {
      // also if a callback has thrown after all: that must not cost the others their deadline
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

  /** Takes a call out of the ring. Whether it was still in it. */
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
