import type { AlarmListener } from '../contract/alarms.js';
import { Deadlines, type TimedCall } from '../contract/deadlines.js';
import { AplSessionError } from '../contract/errors.js';
import type { SessionStore } from '../contract/session-store.js';

/** Hears, later, of a load; neither method may throw. */
export interface LoadListener {
  onLoaded(labels: readonly string[]): void;
  onLoadFailed(cause: unknown): void;
}

/** What one middleware needs for talking to its store. */
export class StoreAccess {
  readonly store: SessionStore;
  readonly raise: AlarmListener;
  readonly #loads: Deadlines;
  readonly #appends: Deadlines;

  constructor(store: SessionStore, storeTimeoutMs: number, raise: AlarmListener) {
    this.store = store;
    this.raise = raise;
    const tooLate = (operation: string): AplSessionError =>
      new AplSessionError(
        'store.timeout',
        `The session store did not settle the ${operation} within ${storeTimeoutMs} ms.`,
      );
    this.#loads = new Deadlines(storeTimeoutMs, tooLate);
    this.#appends = new Deadlines(storeTimeoutMs, tooLate);
  }

  /**
   * Loads the labels of a session. Fails if the store does, throws, misses the deadline or answers with something that is
   * not an iterable of strings.
   */
  load(sessionId: string, listener: LoadListener): void {
    this.#loads.run(new LoadCall(this.store, sessionId, listener));
  }

  /** Makes an append. Fails if the store does, throws or misses the deadline. */
  append(call: TimedCall<void>): void {
    this.#appends.run(call);
  }

  /** Waits for the appends under way. */
  idle(): Promise<void> {
    return this.#appends.idle();
  }
}

class LoadCall implements TimedCall<unknown> {
  readonly #store: SessionStore;
  readonly #sessionId: string;
  readonly #listener: LoadListener;

  constructor(store: SessionStore, sessionId: string, listener: LoadListener) {
    this.#store = store;
    this.#sessionId = sessionId;
    this.#listener = listener;
  }

  get name(): string {
    return 'load';
  }

  start(): PromiseLike<unknown> {
    return this.#store.loadLabels(this.#sessionId);
  }

  onValue(reply: unknown): void {
    let labels: readonly string[];
    try {
      labels = labelsOf(reply);
    } catch (error) {
      this.#listener.onLoadFailed(error);
      return;
    }
    this.#listener.onLoaded(labels);
  }

  onError(cause: unknown): void {
    this.#listener.onLoadFailed(cause);
  }
}

function labelsOf(reply: unknown): readonly string[] {
  // a string is an iterable of strings, but not of labels
  if (typeof reply !== 'object' || reply === null || !(Symbol.iterator in reply)) throw malformed();
  const labels = [...(reply as Iterable<unknown>)];
  if (!labels.every((label) => typeof label === 'string')) throw malformed();
  return labels;
}

function malformed(): AplSessionError {
  return new AplSessionError(
    'store.malformed_reply',
    'The session store answered the load with no iterable of strings.',
  );
}

/** The code of a store's own error, for alarms. */
export function codeOf(error: unknown): { code: string } | undefined {
  return error instanceof AplSessionError ? { code: error.code } : undefined;
}
