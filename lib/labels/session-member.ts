import type { TimedCall } from '../util/deadlines.js';

/** A session that has labels which the store has not acknowledged. */
export interface OwingSession {
  readonly id: string;
  labels(): Iterable<string>;
}

/** A request or an open session that shares the labels of a session with all others of this process. */
export interface SessionMember {
  /** Makes the append of a session, with the deadline of the member. */
  append(call: TimedCall<void>): void;

  /** Runs `callback`, which must not throw, in the asynchronous context of the member. */
  inContext(callback: () => void): void;

  /** The member waits for something that another member does: `inContext` must lead back to where it is now. */
  keepContext(): void;

  /**
   * Called when an append of its session begins.
   * @throws AplSessionError `store.too_many_labels` if the session has more labels than it may
   */
  assertRoom(): void;

  /** A member that appends what another session owes, with the deadline and the alarms of this one. */
  forOwed(session: OwingSession): SessionMember;

  /** Another member has added a label, and the store has not acknowledged it yet. Must not throw. */
  onLabel(label: string): void;

  /** Every label of the session was tried: each is acknowledged or owed. Must not throw. */
  onSettled(): void;

  /** An append has failed. Called on one member for each append, so that there is one alarm. Must not throw. */
  onAppendFailed(cause: unknown): void;
}
