import { setImmediate } from './clock.js';

/**
 * Defers work to the end of the current turn of the event loop, when all data that has arrived is read. Callers in one turn
 * share one `setImmediate` and continue one after the other, each in its own asynchronous context. That saves CPU on a busy
 * server: the same code runs for many requests in a row.
 */
export class NextTurn {
  #shared: Promise<void> | undefined;

  wait(): Promise<void> {
    this.#shared ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#shared = undefined;
        resolve();
      });
    });
    return this.#shared;
  }
}
