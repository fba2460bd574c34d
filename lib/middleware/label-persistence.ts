import type { SessionStoreFailure } from '../contract/alarms.js';
import { AplSessionError } from '../contract/errors.js';
import { LabelSet } from '../labels/label-set.js';
import { UnsavedLabels } from '../labels/unsaved-labels.js';
import { errorText } from './alarm-sink.js';
import { type AppendListener, codeOf, type StoreAccess } from './store-access.js';

/** What an alarm about a failed append tells of its request; of a session without one, the name. */
export type AppendContext = Pick<SessionStoreFailure, 'route' | 'decisionWasAllow' | 'bytesSent'>;

/** Whose labels they are. */
export interface PersistenceOwner {
  /** Called after each label that the store does not know. */
  onNewLabel(): void;
  describe(): AppendContext;
}

/** Waits until everything was tried. */
export interface SettleListener {
  /** Must not throw. */
  onSettled(): void;
}

type Persisted = (error?: AplSessionError) => void;

/**
 * The labels of one request, and their way into the store: at most one append at a time, each label tried once. Who waits
 * for an append is an object with a method, as promises and functions between the store and the response are memory
 * that every held response takes.
 */
export class LabelPersistence implements AppendListener {
  readonly labels: LabelSet;
  readonly #unsaved: UnsavedLabels;
  readonly #access: StoreAccess;
  readonly #sessionId: string | undefined;
  readonly #owner: PersistenceOwner;
  #appending = false;
  /** Who waits for the append under way. */
  #persisted: readonly Persisted[] = [];
  /** Who waits for that, and for those that must follow. */
  #settlers: readonly SettleListener[] = [];

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
    return this.pending && (this.#unsaved.untried || this.#appending);
  }

  /**
   * Appends until nothing is pending.
   * @throws AplSessionError `session.persist_failed`
   */
  async persist(): Promise<void> {
    while (this.pending) {
      await new Promise<void>((resolve, reject) => {
        this.#persisted = this.#persisted.concat((error) => (error ? reject(error) : resolve()));
        this.#append();
      });
    }
  }

  /** Appends until everything was tried, and tells the listener, later in any case; failures are alarms. */
  settle(listener: SettleListener): void {
    if (!this.unsettled) {
      queueMicrotask(() => listener.onSettled());
      return;
    }
    // unlike a spread, this reserves no room for more
    this.#settlers = this.#settlers.concat(listener);
    this.#append();
  }

  onAppended(labels: readonly string[]): void {
    this.#unsaved.saved(labels);
    this.#onTried();
  }

  onAppendFailed(cause: unknown): void {
    this.#onTried(this.#failure(cause));
  }

  #append(): void {
    if (this.#appending) return;
    this.#appending = true;
    this.#access.append(this.#sessionId as string, this.#unsaved.take(), this);
  }

  #onTried(error?: AplSessionError): void {
    this.#appending = false;
    const persisted = this.#persisted;
    this.#persisted = [];
    for (const call of persisted) call(error);
    if (this.unsettled && this.#settlers.length > 0) {
      this.#append();
      return;
    }
    const settlers = this.#settlers;
    this.#settlers = [];
    for (const listener of settlers) listener.onSettled();
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
