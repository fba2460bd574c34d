import { AplSessionError } from '../contract/errors.js';
import { BackgroundMember } from '../known-sessions/background-member.js';
import type { KnownSession } from '../known-sessions/known-session.js';
import type { OwingSession } from '../known-sessions/session-member.js';
import type { StoreAccess } from '../known-sessions/store-access.js';
import { LabelSet, type NewLabelListener } from '../labels/label-set.js';
import { microtask } from '../util/clock.js';

/**
 * The membership of an open session. It refers to its label set weakly: a caller may drop an open session without closing it,
 * and the member leaves when the set is garbage-collected.
 */
export class OpenSessionMember implements NewLabelListener, OwingSession {
  readonly id: string;
  readonly #access: StoreAccess;
  readonly #name: string;
  readonly #member: BackgroundMember;
  readonly #sessions: 'any' | 'enrolled';
  #session: KnownSession | undefined;
  #labels: WeakRef<LabelSet> | undefined;
  #settlesSoon = false;

  /** @param name stands for the route in alarms */
  constructor(access: StoreAccess, name: string, sessionId: string, sessions: 'any' | 'enrolled') {
    this.id = sessionId;
    this.#access = access;
    this.#name = name;
    this.#sessions = sessions;
    this.#member = new BackgroundMember(access, name, this, (label) => this.#labels?.deref()?.receive(label));
  }

  /**
   * Joins the session and loads its labels.
   * @throws AplSessionError `session.load_failed`; `session.unknown` if the session must be enrolled and is not; `session.persist_failed` for labels that the process owes to the session
   */
  load(): Promise<LabelSet> {
    return new Promise((resolve, reject) => {
      const onLoadFailed = (cause: unknown): void => {
        this.#access.alarms.storeFailure('load', cause, { at: this.#name, secrets: [this.id] });
        const message = 'The labels of the session could not be loaded.';
        reject(new AplSessionError('session.load_failed', message, { cause }));
      };
      try {
        this.#session = this.#access.join(this.id, this.#member);
      } catch (error) {
        onLoadFailed(error);
        return;
      }
      this.#access.load(this.#session, this.#member, {
        onLoaded: (storedLabels, isEnrolled) => {
          if (isEnrolled || this.#sessions === 'any') resolve(this.#makeLabels(storedLabels));
          else {
            this.#access.alarms.sessionUnknown({ at: this.#name, secrets: [this.id] });
            reject(new AplSessionError('session.unknown', 'The session is not enrolled.'));
          }
        },
        onLabelsLost: (count) => this.#access.alarms.regression(count, { at: this.#name, secrets: [this.id] }),
        onLoadFailed,
        onOwedFailed: () => {
          const message = 'Earlier labels of the session could not be persisted.';
          reject(new AplSessionError('session.persist_failed', message));
        },
      });
    });
  }

  #makeLabels(storedLabels: readonly string[]): LabelSet {
    const labels = new LabelSet([...storedLabels, ...(this.#session?.labels() ?? [])], this);
    this.#labels = new WeakRef(labels);
    this.#access.sessions.leaveWith(labels, () => this.leave());
    return labels;
  }

  leave(): void {
    this.#session?.leave(this.#member);
  }

  persist(): Promise<void> {
    return this.#session?.persist(this.#member) ?? Promise.resolve();
  }

  /** Starts the append, because no response will do that. Labels of one task share an append. */
  onNewLabel(label: string, by: string | undefined): void {
    this.#session = this.#session?.add(label, this.#member, by);
    if (this.#settlesSoon) return;
    this.#settlesSoon = true;
    microtask(() => {
      this.#settlesSoon = false;
      this.#session?.settle(this.#member);
    });
  }

  /** All labels that are known here; a label may occur twice. */
  *labels(): Generator<string> {
    yield* this.#labels?.deref() ?? [];
    yield* this.#session?.labels() ?? [];
  }
}
