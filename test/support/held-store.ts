import type { SessionStore } from '../../lib/index.js';
import { type Deferred, deferred } from './deferred.js';

/** A call of the store that is pending until the test settles it. */
export interface HeldCall {
  readonly labels: readonly string[];
  succeed(): void;
  fail(error?: Error): void;
}

/** The calls of one method, oldest first. */
class HeldCalls {
  readonly #pending = new Set<HeldCall>();
  readonly #untaken: HeldCall[] = [];
  readonly #takers: Array<Deferred<HeldCall>> = [];
  #arrival = deferred();
  #settle: ((call: HeldCall) => void) | undefined;

  /** @param onSuccess called before the promise resolves */
  hold(labels: readonly string[], onSuccess: () => void): Promise<void> {
    const { promise, resolve, reject } = deferred();
    const call: HeldCall = {
      labels,
      succeed: () => {
        if (this.#pending.delete(call)) onSuccess();
        resolve();
      },
      fail: (error = new Error('the store is down')) => {
        this.#pending.delete(call);
        reject(error);
      },
    };
    this.#pending.add(call);
    const taker = this.#takers.shift();
    if (taker) taker.resolve(call);
    else this.#untaken.push(call);
    this.#arrival.resolve();
    this.#settle?.(call);
    return promise;
  }

  /** The next call that the test has not taken yet, once it is made. */
  next(): Promise<HeldCall> {
    const call = this.#untaken.shift();
    if (call) return Promise.resolve(call);
    const taker = deferred<HeldCall>();
    this.#takers.push(taker);
    return taker.promise;
  }

  async called(): Promise<void> {
    if (this.#pending.size > 0) return;
    this.#arrival = deferred();
    await this.#arrival.promise;
  }

  oldest(): HeldCall | undefined {
    return [...this.#pending][0];
  }

  /** Settles pending and later calls. */
  settleAll(settle: (call: HeldCall) => void): void {
    this.#settle = settle;
    for (const call of this.#pending) settle(call);
  }
}

/** A store that works, but each append is pending until the test settles it, and each load too with `holdLoads`. */
export class HeldStore implements SessionStore {
  holdLoads = false;
  /** The session ids of all loads. */
  readonly loads: string[] = [];
  /** The labels of all appends. */
  readonly appends: Array<readonly string[]> = [];
  readonly #stored = new Map<string, Set<string>>();
  readonly #heldLoads = new HeldCalls();
  readonly #heldAppends = new HeldCalls();

  async loadLabels(sessionId: string): Promise<string[]> {
    this.loads.push(sessionId);
    if (this.holdLoads) await this.#heldLoads.hold([], () => {});
    return [...(this.#stored.get(sessionId) ?? [])];
  }

  appendLabels(sessionId: string, labels: readonly string[]): Promise<void> {
    this.appends.push([...labels]);
    return this.#heldAppends.hold(labels, () => {
      this.#stored.set(sessionId, new Set([...(this.#stored.get(sessionId) ?? []), ...labels]));
    });
  }

  /** The next load, once it is pending; only with `holdLoads`. */
  nextLoad(): Promise<HeldCall> {
    return this.#heldLoads.next();
  }

  /** The next append, once it is pending. */
  nextAppend(): Promise<HeldCall> {
    return this.#heldAppends.next();
  }

  /** Resolves as soon as an append is pending. */
  called(): Promise<void> {
    return this.#heldAppends.called();
  }

  /** Lets the oldest pending append succeed. */
  succeed(): void {
    this.#heldAppends.oldest()?.succeed();
  }

  /** Lets the oldest pending append fail. */
  fail(error?: Error): void {
    this.#heldAppends.oldest()?.fail(error);
  }

  /** Pending and later appends succeed. */
  release(): void {
    this.#heldAppends.settleAll((call) => call.succeed());
  }

  /** Pending and later appends fail. */
  failAll(error?: Error): void {
    this.#heldAppends.settleAll((call) => call.fail(error));
  }
}
