import type { SessionStoreFailure } from '../contract/alarms.js';
import { AplSessionError } from '../contract/errors.js';
import { LabelSet } from '../labels/label-set.js';
import { UnsavedLabels } from '../labels/unsaved-labels.js';
import { errorText } from './alarm-sink.js';
import { codeOf, type StoreAccess } from './store-access.js';

/** What an alarm about a failed append tells of its request; of a session without one, the name. */
export type AppendContext = Pick<SessionStoreFailure, 'route' | 'decisionWasAllow' | 'bytesSent'>;

/** Whose labels they are. */
export interface PersistenceOwner {
  /** Called after each label that the store does not know. */
  onNewLabel(): void;
  describe(): AppendContext;
}

type Settled = (error?: AplSessionError) => void;

/**
 * The labels of one request, and their way into the store: at most one append at a time, each label tried once. Who waits
 * for an append gives a callback, as a promise for each layer between the store and the response is memory that every
 * held response takes.
 */
export class LabelPersistence {
  readonly labels: LabelSet;
  readonly #unsaved: UnsavedLabels;
  readonly #access: StoreAccess;
  readonly #sessionId: string | undefined;
  readonly #owner: PersistenceOwner;
  /** Who waits for the append under way; `undefined` if there is none. */
  #waiting: Settled[] | undefined;

  constructor(
    access: StoreAccess,
    sessionId: string | undefined,
    storedLabels: Iterable<string>,
    owner: PersistenceOwner,
  ) {
    this.#access = access;
    this.#sessionId = sessionId;
    this.#owner = owner;
    this.#unsaved = new UnsavedLabels(sessionId === undefined ? () => {} : () => owner.onNewLabel());
    this.labels = new LabelSet(storedLabels, this.#unsaved);
  }

  /** Whether there are labels that the store has not acknowledged. Never, without a session. */
  get pending(): boolean {
    return this.#sessionId !== undefined && this.#unsaved.any;
  }

  /** Whether an append is under way, or one is worth its time. False once all that is pending has failed. */
  get unsettled(): boolean {
    return this.pending && (this.#unsaved.untried || this.#waiting !== undefined);
  }

  /**
   * Appends until nothing is pending.
   * @throws AplSessionError `session.persist_failed`
   */
  async persist(): Promise<void> {
    while (this.pending) {
      await new Promise<void>((resolve, reject) => this.#append((error) => (error ? reject(error) : resolve())));
    }
  }

  /** Appends until everything was tried, and calls back, later in any case; failures are alarms. */
  settle(done: () => void): void {
    if (this.unsettled) this.#append(() => (this.unsettled ? this.settle(done) : done()));
    else queueMicrotask(done);
  }

  #append(settled: Settled): void {
    if (this.#waiting) {
      this.#waiting.push(settled);
      return;
    }
    this.#waiting = [settled];
    const labels = this.#unsaved.take();
    this.#access.append(
      this.#sessionId as string,
      labels,
      () => {
        this.#unsaved.saved(labels);
        this.#onSettled();
      },
      (cause) => this.#onSettled(this.#failure(cause)),
    );
  }

  #onSettled(error?: AplSessionError): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const settled of waiting) settled(error);
  }

  #failure(cause: unknown): AplSessionError {
    const secrets = [this.#sessionId as string, ...this.labels];
    this.#access.raise({
      alarm: 'session_store_failure',
      op: 'append',
      ...this.#owner.describe(),
      error: errorText(cause, secrets),
      ...codeOf(cause),
    });
    return new AplSessionError('session.persist_failed', 'The labels of the session could not be persisted.', {
      cause,
    });
  }
}
