import type { TimedCall } from '../util/deadlines.js';
import type { KnownSession } from './known-session.js';

/** How many appends may be in flight. They must leave room for the calls of requests. */
const MAX_IN_FLIGHT = 32;

/**
 * Appends the stored labels of sessions again, because the server may have lost them: after a reconnect, or when another
 * server has become the primary. An append only adds labels, so this is safe at any time. If one fails, the next load of
 * its session still finds the loss.
 */
export class RepeatedAppends {
  readonly #append: (call: TimedCall<void>) => void;
  #sessions: Iterator<KnownSession> | undefined;
  #inFlight = 0;

  constructor(append: (call: TimedCall<void>) => void) {
    this.#append = append;
  }

  /** Starts again from the first session if an earlier run has not ended. */
  start(sessions: Iterable<KnownSession>): void {
    this.#sessions = sessions[Symbol.iterator]();
    this.#fill();
  }

  #fill(): void {
    while (this.#inFlight < MAX_IN_FLIGHT && this.#next()) {}
  }

  #next(): boolean {
    const { done, value: session } = this.#sessions?.next() ?? { done: true };
    if (done || !session) return false;
    // its labels may have expired since, or were erased
    if (!session.isRecent) return true;
    const labels = Object.freeze([...new Set(session.storedLabels())]);
    if (labels.length === 0) return true;
    const settled = (): void => {
      this.#inFlight -= 1;
      this.#fill();
    };
    this.#inFlight += 1;
    this.#append({ name: 'append', start: () => session.append(labels), onValue: settled, onError: settled });
    return true;
  }
}
