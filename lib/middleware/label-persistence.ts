import type { SessionStoreFailure } from '../contract/alarms.js';
import { microtask } from '../contract/clock.js';
import type { TimedCall } from '../contract/deadlines.js';
import { AplSessionError } from '../contract/errors.js';
import { LabelSet } from '../labels/label-set.js';
import { type NewLabelListener, UnsavedLabels } from '../labels/unsaved-labels.js';
import { errorText } from './alarm-sink.js';
import { codeOf, type StoreAccess } from './store-access.js';

/** What an alarm about a failed append tells of its request; of a session without one, the name. */
export type AppendContext = Pick<SessionStoreFailure, 'route' | 'decisionWasAllow' | 'bytesSent'>;

/** Whose labels they are. */
export interface PersistenceOwner extends NewLabelListener {
  describe(): AppendContext;
  /** Everything was tried, after `settle()`. Must not throw. */
  onSettled(): void;
}

type Persisted = (error?: AplSessionError) => void;

const NOBODY: readonly Persisted[] = Object.freeze([]);

/**
 * The labels of one request, and their way into the store: at most one append at a time, each label tried once. It is
 * itself the call of that append, and who waits for it is an object with a method, as objects, promises and functions
 * between the store and the response are memory that every held response takes.
 */
export class LabelPersistence implements TimedCall<void> {
  readonly labels: LabelSet;
  readonly #unsaved: UnsavedLabels;
  readonly #access: StoreAccess;
  readonly #sessionId: string | undefined;
  readonly #owner: PersistenceOwner;
  #appending = false;
  /** Who waits until nothing is pending, or an append has failed. */
  #persisted = NOBODY;
  /** The owner waits for that, and for those that must follow. */
  #settling = false;

  constructor(
    access: StoreAccess,
    sessionId: string | undefined,
    storedLabels: Iterable<string>,
    owner: PersistenceOwner,
  ) {
    this.#access = access;
    this.#sessionId = sessionId;
    this.#owner = owner;
    this.#unsaved = new UnsavedLabels(owner);
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
  persist(): Promise<void> {
    if (!this.pending) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#persisted = this.#persisted.concat((error) => (error ? reject(error) : resolve()));
      this.#append();
    });
  }

  /** Appends until everything was tried, and tells the owner, later in any case; failures are alarms. */
  settle(): void {
    if (this.unsettled) {
      this.#settling = true;
      this.#append();
    } else microtask(() => this.#tellSettled());
  }

  get name(): string {
    return 'append';
  }

  start(): PromiseLike<void> {
    // first of all, as what was taken counts as tried, whatever the store does
    const labels = this.#unsaved.take();
    return this.#access.store.appendLabels(this.#sessionId as string, labels);
  }

  onValue(): void {
    this.#unsaved.saved();
    this.#onTried();
  }

  onError(cause: unknown): void {
    this.#onTried(this.#failure(cause));
  }

  #append(): void {
    if (this.#appending) return;
    this.#appending = true;
    this.#access.append(this);
  }

  #onTried(error?: AplSessionError): void {
    this.#appending = false;
    const persisted = this.#persisted;
    if (!error && this.pending && persisted.length > 0) {
      this.#append();
      return;
    }
    this.#persisted = NOBODY;
    for (const call of persisted) call(error);
    if (this.#settling) this.#tellSettled();
  }

  #tellSettled(): void {
    // a label may have come meanwhile, and what was not tried has not failed
    if (this.unsettled) {
      this.settle();
      return;
    }
    this.#settling = false;
    this.#owner.onSettled();
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
