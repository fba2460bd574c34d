import { withDeadline } from '../../../util/deadlines.js';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Calls that wait for a connection. One that gives up leaves, so that an outage piles up nothing, however long it lasts. */
export class ConnectionWaiters {
  readonly #waiting = new Set<Waiter>();

  async wait(timeoutMs: number, onTimeout: () => Error): Promise<void> {
    let waiter: Waiter | undefined;
    const connected = (): Promise<void> =>
      new Promise((resolve, reject) => {
        waiter = { resolve, reject };
        this.#waiting.add(waiter);
      });
    try {
      await withDeadline(connected, timeoutMs, onTimeout);
    } finally {
      if (waiter) this.#waiting.delete(waiter);
    }
  }

  resolveAll(): void {
    for (const { resolve } of this.#waiting) resolve();
    this.#waiting.clear();
  }

  rejectAll(error: Error): void {
    for (const { reject } of this.#waiting) reject(error);
    this.#waiting.clear();
  }
}
