import { isPromiseLike } from './promise-like.js';

const TIMER_RESOLUTION_MS = 1;

/** A call under way, in the ring of all of them. */
interface Call {
  readonly name: string;
  readonly expiresAtMs: number;
  readonly onError: (error: unknown) => void;
  before: Call;
  /** `undefined` once the call is settled. */
  after: Call | undefined;
}

/**
 * The deadline of many calls that may all take equally long. They expire in the order in which they began, so one timer serves them
 * all, and who waits gives callbacks: a timer and a promise for each would be a good part of what a request costs.
 */
export class Deadlines {
  readonly #timeoutMs: number;
  readonly #errorOf: (name: string) => Error;
  /** Where the ring begins and ends. */
  readonly #ends: Call & { after: Call };
  #timer: NodeJS.Timeout | undefined;

  /** @param errorOf how the call of this name fails once it has taken `timeoutMs` */
  constructor(timeoutMs: number, errorOf: (name: string) => Error) {
    this.#timeoutMs = timeoutMs;
    this.#errorOf = errorOf;
    const ends = { name: '', expiresAtMs: Number.POSITIVE_INFINITY, onError: () => {} } as unknown as Call;
    ends.before = ends;
    this.#ends = Object.assign(ends, { after: ends });
  }

  /**
   * Calls `operation`, and later one of the callbacks, which must not throw: when it has settled, or its time is up. A
   * synchronous throw is a failure; what comes after the deadline is ignored. The timer never keeps the process alive.
   */
  run<T>(
    name: string,
    operation: () => PromiseLike<T>,
    onValue: (value: T) => void,
    onError: (error: unknown) => void,
  ): void {
    const call = this.#begin(name, onError);
    const fail = (error: unknown): void => {
      if (end(call)) onError(error);
    };
    try {
      const answer: unknown = operation();
      if (!isPromiseLike(answer)) throw new TypeError('What was returned is no promise: it has no then().');
      // one that is not of the language may call back at once, or twice
      Promise.resolve(answer as PromiseLike<T>).then((value) => {
        if (end(call)) onValue(value);
      }, fail);
    } catch (error) {
      queueMicrotask(() => fail(error));
    }
  }

  #begin(name: string, onError: (error: unknown) => void): Call {
    const { before } = this.#ends;
    const expiresAtMs = performance.now() + this.#timeoutMs;
    const call: Call = { name, expiresAtMs, onError, before, after: this.#ends };
    before.after = call;
    this.#ends.before = call;
    this.#timer ??= this.#expireIn(this.#timeoutMs);
    return call;
  }

  #expireIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#expire(), ms).unref();
  }

  /** The call that the timer was set for may be settled: calls leave the timer as it is. */
  #expire(): void {
    this.#timer = undefined;
    // calls of one moment expire together: what the first one's error does must not decide about the others
    const now = performance.now() + TIMER_RESOLUTION_MS;
    for (let first = this.#ends.after; first !== this.#ends; first = this.#ends.after) {
      if (first.expiresAtMs > now) {
        this.#timer = this.#expireIn(Math.ceil(first.expiresAtMs - now));
        return;
      }
      end(first);
      first.onError(this.#errorOf(first.name));
    }
  }
}

/** Takes a call out of the ring. Whether it was still in it. */
function end(call: Call): boolean {
  const { before, after } = call;
  if (!after) return false;
  before.after = after;
  after.before = before;
  call.after = undefined;
  return true;
}
