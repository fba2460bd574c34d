import type { SessionStoreFailure } from '../contract/alarms.js';
import { AplSessionError } from '../contract/errors.js';
import { LabelSet } from '../labels/label-set.js';
import { UnsavedLabels } from '../labels/unsaved-labels.js';
import { errorText } from './alarm-sink.js';
import { appendLabels, codeOf, type StoreAccess } from './store-access.js';

/** What an alarm about a failed append tells of its request. */
export type AppendContext = Required<Pick<SessionStoreFailure, 'route' | 'decisionWasAllow' | 'bytesSent'>>;

/** The labels of one request, and their way into the store: at most one append at a time, each label tried once. */
export class LabelPersistence {
  readonly labels: LabelSet;
  readonly #unsaved: UnsavedLabels;
  readonly #access: StoreAccess;
  readonly #sessionId: string | undefined;
  readonly #describe: () => AppendContext;
  #appending: Promise<void> | undefined;

  constructor(
    access: StoreAccess,
    sessionId: string | undefined,
    storedLabels: Iterable<string>,
    hooks: { readonly onNewLabel: () => void; readonly describe: () => AppendContext },
  ) {
    this.#access = access;
    this.#sessionId = sessionId;
    this.#describe = hooks.describe;
    this.#unsaved = new UnsavedLabels(sessionId === undefined ? () => {} : hooks.onNewLabel);
    this.labels = new LabelSet(storedLabels, this.#unsaved);
  }

  /** Whether there are labels that the store has not acknowledged. Never, without a session. */
  get pending(): boolean {
    return this.#sessionId !== undefined && this.#unsaved.any;
  }

  /** Whether an append is under way, or one is worth its time. False once all that is pending has failed. */
  get unsettled(): boolean {
    return this.pending && (this.#unsaved.untried || this.#appending !== undefined);
  }

  /**
   * Appends until nothing is pending.
   * @throws AplSessionError `session.persist_failed`
   */
  async persist(): Promise<void> {
    while (this.pending) await this.#append();
  }

  /** Appends until everything was tried; failures are alarms. Never rejects. */
  async settle(): Promise<void> {
    while (this.unsettled) {
      try {
        await this.#append();
      } catch {
        // alarmed where it failed; what is still pending tells the caller
      }
    }
  }

  #append(): Promise<void> {
    this.#appending ??= this.#appendAll(this.#sessionId as string);
    return this.#appending;
  }

  async #appendAll(sessionId: string): Promise<void> {
    const labels = this.#unsaved.take();
    try {
      await appendLabels(this.#access, sessionId, labels);
      this.#unsaved.saved(labels);
    } catch (cause) {
      this.#access.raise({
        alarm: 'session_store_failure',
        op: 'append',
        ...this.#describe(),
        error: errorText(cause, [sessionId, ...this.labels]),
        ...codeOf(cause),
      });
      throw new AplSessionError('session.persist_failed', 'The labels of the session could not be persisted.', {
        cause,
      });
    } finally {
      this.#appending = undefined;
    }
  }
}
