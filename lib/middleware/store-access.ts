import type { AlarmListener } from '../contract/alarms.js';
import { Deadlines } from '../contract/deadlines.js';
import { AplSessionError } from '../contract/errors.js';
import type { SessionStore } from '../contract/session-store.js';

/** What one middleware needs for talking to its store. */
export class StoreAccess {
  readonly store: SessionStore;
  readonly raise: AlarmListener;
  readonly #deadlines: Deadlines;
  #appends = 0;
  #onIdle: Array<() => void> = [];

  constructor(store: SessionStore, storeTimeoutMs: number, raise: AlarmListener) {
    this.store = store;
    this.raise = raise;
    this.#deadlines = new Deadlines(
      storeTimeoutMs,
      (operation) =>
        new AplSessionError(
          'store.timeout',
          `The session store did not settle the ${operation} within ${storeTimeoutMs} ms.`,
        ),
    );
  }

  /**
   * Loads the labels of a session. Fails if the store does, throws, misses the deadline or answers with something that is
   * not an iterable of strings. Of the two callbacks, which must not throw, one is called.
   */
  load(sessionId: string, onLabels: (labels: readonly string[]) => void, onFailed: (cause: unknown) => void): void {
    this.#deadlines.run(
      'load',
      () => this.store.loadLabels(sessionId),
      (reply: unknown) => {
        let labels: readonly string[];
        try {
          labels = labelsOf(reply);
        } catch (error) {
          onFailed(error);
          return;
        }
        onLabels(labels);
      },
      onFailed,
    );
  }

  /** Appends labels to a session. Fails if the store does, throws or misses the deadline. Callbacks as above. */
  append(sessionId: string, labels: readonly string[], onSaved: () => void, onFailed: (cause: unknown) => void): void {
    this.#appends += 1;
    this.#deadlines.run(
      'append',
      () => this.store.appendLabels(sessionId, labels),
      () => {
        this.#onAppended();
        onSaved();
      },
      (cause) => {
        this.#onAppended();
        onFailed(cause);
      },
    );
  }

  /** Waits for the appends under way. */
  async idle(): Promise<void> {
    while (this.#appends > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #onAppended(): void {
    this.#appends -= 1;
    if (this.#appends > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
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
