import { AplSessionError } from '../contract/errors.js';
import { BackgroundMember } from '../labels/background-member.js';
import type { KnownSession } from '../labels/known-session.js';
import { LabelSet, type NewLabelListener } from '../labels/label-set.js';
import type { LoadingMember } from '../labels/store-access.js';
import { microtask } from '../util/clock.js';

interface Loading {
  resolve(storedLabels: readonly string[]): void;
  reject(error: AplSessionError): void;
}

/**
 * The membership of an open session. It holds its label set weakly: a caller may drop an open session without closing it,
 * and the member then leaves when the set is garbage-collected.
 */
export class OpenSessionMember extends BackgroundMember implements LoadingMember, NewLabelListener {
  #session: KnownSession | undefined;
  #labels: WeakRef<LabelSet> | undefined;
  #loading: Loading | undefined;
  #settlesSoon = false;

  /**
   * Joins a session and loads its labels.
   * @throws AplSessionError `session.load_failed`; `session.persist_failed` for labels that the process owes to the session
   */
  load(sessionId: string): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      this.#loading = { resolve, reject };
      try {
        this.#session = this.access.join(sessionId, this);
      } catch (error) {
        this.onLoadFailed(error, sessionId);
        return;
      }
      this.access.load(this.#session, this);
    });
  }

  onLoaded(storedLabels: readonly string[]): void {
    this.#loading?.resolve(storedLabels);
  }

  onLoadFailed(cause: unknown, sessionId = this.#session?.id ?? ''): void {
    this.access.alarms.storeFailure('load', cause, { at: this.name, secrets: [sessionId] });
    const message = 'The labels of the session could not be loaded.';
    this.#loading?.reject(new AplSessionError('session.load_failed', message, { cause }));
  }

  onOwedFailed(): void {
    const message = 'Earlier labels of the session could not be persisted.';
    this.#loading?.reject(new AplSessionError('session.persist_failed', message));
  }

  leave(): void {
    this.#session?.leave(this);
  }

  /** Makes the label set of the open session: the loaded labels, and those that the process knows. */
  labelsWith(storedLabels: readonly string[]): LabelSet {
    const labels = new LabelSet([...storedLabels, ...(this.#session?.labels() ?? [])], this);
    this.#labels = new WeakRef(labels);
    this.access.sessions.leaveWith(labels, () => this.leave());
    return labels;
  }

  persist(): Promise<void> {
    return this.#session?.persist(this) ?? Promise.resolve();
  }

  /** Starts the append itself, as no response will do that. Labels of one task share an append. */
  onNewLabel(label: string): void {
    this.#session = this.#session?.add(label, this);
    if (this.#settlesSoon) return;
    this.#settlesSoon = true;
    microtask(() => {
      this.#settlesSoon = false;
      this.#session?.settle(this);
    });
  }

  override onLabel(label: string): void {
    this.#labels?.deref()?.receive(label);
  }

  protected *presentLabels(): Generator<string> {
    yield* this.#labels?.deref() ?? [];
    yield* this.#session?.labels() ?? [];
  }

  protected secrets(): readonly string[] {
    return [this.#session?.id ?? '', ...(this.#session?.labels() ?? [])];
  }
}
