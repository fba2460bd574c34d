import type { LabelOrigin } from '../contract/provenance.js';
import type { TimedCall } from '../util/deadlines.js';

/** A session with labels that the store has not acknowledged. */
export interface OwingSession {
  readonly id: string;
  labels(): Iterable<string>;
  /** Labels that the store has returned or acknowledged before. */
  storedLabels?(): Iterable<string>;
}

/** A request or an open session. All members of a session in this process share its labels. */
export interface SessionMember {
  /** Starts an append of the session with the deadline of this member. */
  append(call: TimedCall<void>): void;

  /** Runs `callback`, which must not throw, in the asynchronous context of this member. */
  inContext(callback: () => void): void;

  /** Keeps the current asynchronous context for `inContext`, because this member now waits for an append of another. */
  keepContext(): void;

  /**
   * Called when an append of its session starts.
   * @throws AplSessionError `store.too_many_labels`
   */
  assertRoom(): void;

  /** Returns a member that appends the unacknowledged labels of another session, with the deadline and alarms of this one. */
  forOwed(session: OwingSession): SessionMember;

  /**
   * The origin of a label that this member adds now. Called only if the store keeps origins. Must not throw.
   * @param by the guard or rule that adds the label
   */
  originOf(by: string | undefined): LabelOrigin;

  /** Another member has added a label that the store has not acknowledged yet. Must not throw. */
  onLabel(label: string): void;

  /** Every label of the session is acknowledged, or its append has failed. Must not throw. */
  onSettled(): void;

  /** An append has succeeded. Called on one member for each append. Must not throw. */
  onAppended?(labels: readonly string[]): void;

  /** An append has failed. Called on one member for each append, so that it raises one alarm. Must not throw. */
  onAppendFailed(cause: unknown): void;
}
