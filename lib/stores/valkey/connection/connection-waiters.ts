import { AplSessionError } from '../../../contract/errors.js';
import { now } from '../../../util/clock.js';
import { withDeadline } from '../../../util/deadlines.js';
import { type ConnectionFailure, noConnection } from '../protocol/store-error.js';

/** Calls that wait for a connection. A call that times out is removed, so an outage cannot fill the memory. */
export class ConnectionWaiters {
  readonly #timeoutMs: number;
  readonly #waiting = new Set<() => void>();
  #closed = false;

  /** @param timeoutMs how long a call waits at most */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Returns the result of `find`, which is called again after each notification: a connection may be lost between its
   * notification and the moment when the call continues.
   * @throws AplSessionError with the code of `failure` after the timeout; `store.closed`
   */
  async waitFor<T>(find: () => T | undefined, failure: () => ConnectionFailure | undefined): Promise<T> {
    const timedOut = (): AplSessionError => noConnection(this.#timeoutMs, failure());
    const deadline = now() + this.#timeoutMs;
    for (;;) {
      if (this.#closed) throw new AplSessionError('store.closed', 'ValkeySessionStore is closed.');
      const found = find();
      if (found) return found;
      // checked after the search: a pause of this process may have used up the time, but the connection may be ready
      const leftMs = deadline - now();
      if (leftMs <= 0) throw timedOut();
      let notify = (): void => {};
      const notified = new Promise<void>((resolve) => {
        notify = resolve;
      });
      this.#waiting.add(notify);
      await withDeadline(() => notified, leftMs, timedOut).finally(() => this.#waiting.delete(notify));
    }
  }

  notifyAll(): void {
    for (const notify of this.#waiting) notify();
    this.#waiting.clear();
  }

  /** Rejects pending and later calls with `store.closed`. */
  close(): void {
    this.#closed = true;
    this.notifyAll();
  }
}
