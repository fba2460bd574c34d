import { AplSessionError } from '../contract/errors.js';
import type { TimedCall } from '../util/deadlines.js';
import { AddedLabels } from './added-labels.js';
import type { SessionMember } from './session-member.js';

/** The session whose labels are appended. */
export interface AppendingSession {
  /** Calls the store. */
  append(labels: readonly string[]): PromiseLike<void>;
  /** The store has acknowledged labels. Returns the number of this acknowledgement. */
  onAcknowledged(): number;
  /** Every label was tried. `waiting` are the members to notify, and `by` has made the last append. */
  onTried(waiting: readonly SessionMember[], by: SessionMember): void;
}

type Persisted = (error?: AplSessionError) => void;

const NO_LABELS: readonly string[] = Object.freeze([]);
const NO_CALLBACKS: readonly Persisted[] = Object.freeze([]);
const NO_MEMBERS: readonly SessionMember[] = Object.freeze([]);

/**
 * The labels of one session on their way to the store. A label is *untried*, then *trying* (in the append in flight), then
 * *acknowledged*, or *owed* if the append has failed. At most one append is in flight; it contains every label that is not
 * acknowledged. This object is also the call of the append, which saves an allocation.
 *
 * It stays in memory after the last request of its session, so lists that are empty are shared constants, and a list of one element is
 * written as a literal: push() on an empty list reserves memory for seventeen.
 */
export class LabelAppends implements TimedCall<void> {
  readonly #session: AppendingSession;
  #untried: string[] | undefined;
  /** Frozen, because the store gets this array. */
  #trying: readonly string[] | undefined;
  #owed = NO_LABELS;
  readonly #labels = new AddedLabels();
  /** The member that makes the next append and reports its failure: the first one that has added a label to it. */
  #next: SessionMember | undefined;
  /** The same for the append in flight. */
  #current: SessionMember | undefined;
  /** The members to notify when every label was tried. Some may have left the session. */
  #waiting: SessionMember[] | undefined;
  #persisted = NO_CALLBACKS;

  constructor(session: AppendingSession) {
    this.#session = session;
  }

  get name(): string {
    return 'append';
  }

  get unsettled(): boolean {
    return this.#untried !== undefined || this.#trying !== undefined;
  }

  get owes(): boolean {
    return this.#owed.length > 0;
  }

  /** The labels that the store has acknowledged. */
  acknowledged(): Iterable<string> {
    return this.#labels.acknowledged();
  }

  get remembers(): boolean {
    return this.#labels.size > 0;
  }

  /** The labels that are untried, trying, owed or acknowledged. */
  labels(): Iterable<string> {
    return this.#labels;
  }

  get size(): number {
    return this.#labels.size;
  }

  /** Adds a label. Returns whether it is new. */
  add(label: string, from: SessionMember): boolean {
    if (this.#labels.has(label)) return false;
    this.#labels.add(label);
    if (this.#untried) this.#untried.push(label);
    else this.#untried = [label];
    this.#next ??= from;
    return true;
  }

  /** Appends until every label was tried, and then calls `onTried`. At least one label must be untried or trying. */
  settle(member: SessionMember): void {
    if (!this.#waiting) this.#waiting = [member];
    else if (!this.#waiting.includes(member)) this.#waiting.push(member);
    this.#begin(member);
    if (this.#current !== member) member.keepContext();
  }

  /** Appends until every label is acknowledged, or an append has failed. At least one label must not be acknowledged. */
  persist(member: SessionMember): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#persisted = this.#persisted.concat((error) => (error ? reject(error) : resolve()));
      this.#begin(member);
    });
  }

  /** Forgets that a label was acknowledged, so that `add` makes it untried again. */
  distrust(label: string): void {
    this.#labels.distrust(label);
  }

  /** Forgets the acknowledged labels. */
  forget(): void {
    this.#labels.forget();
  }

  /**
   * Makes labels untried again that a load has not returned although it should. Returns how many there are.
   * @param lostLoaded such labels that an earlier load has returned
   */
  tryLost(
    member: SessionMember,
    knownAtStart: number,
    loaded: readonly string[],
    lostLoaded: readonly string[],
  ): number {
    const lost = new Set([...this.#labels.lost(knownAtStart, loaded), ...lostLoaded]);
    const untried = [...lost].filter((label) => !this.#labels.isUnacknowledged(label));
    if (untried.length === 0) return lost.size;
    this.#untried = untried.concat(this.#untried ?? NO_LABELS);
    for (const label of untried) this.#labels.add(label);
    this.#next ??= member;
    return lost.size;
  }

  start(): PromiseLike<void> {
    const untried = this.#untried ?? NO_LABELS;
    this.#trying = Object.freeze(this.#owed.length === 0 ? untried : this.#owed.concat(untried));
    this.#untried = undefined;
    this.#current?.assertRoom();
    return this.#session.append(this.#trying);
  }

  onValue(): void {
    const acknowledged = this.#trying ?? NO_LABELS;
    this.#labels.acknowledge(acknowledged, this.#session.onAcknowledged());
    this.#owed = NO_LABELS;
    this.#current?.onAppended?.(acknowledged);
    this.#onTried();
  }

  onError(cause: unknown): void {
    this.#owed = this.#trying ?? NO_LABELS;
    this.#current?.onAppendFailed(cause);
    this.#onTried(
      new AplSessionError('session.persist_failed', 'The labels of the session could not be persisted.', { cause }),
    );
  }

  /** Starts an append, unless one is in flight: the next one then follows it. */
  #begin(member: SessionMember): void {
    if (this.#current) return;
    const current = this.#next ?? member;
    this.#next = undefined;
    this.#current = current;
    if (current === member) current.append(this);
    else current.inContext(() => current.append(this));
  }

  #onTried(error?: AplSessionError): void {
    const current = this.#current as SessionMember;
    this.#trying = undefined;
    this.#current = undefined;
    const persisted = this.#persisted;
    const waits = this.#waiting !== undefined || (!error && persisted.length > 0);
    const goesOn = waits && this.#untried !== undefined;
    if (error || !goesOn) {
      this.#persisted = NO_CALLBACKS;
      for (const callback of persisted) callback(error);
    }
    if (goesOn) {
      this.#begin(current);
      return;
    }
    const waiting = this.#waiting ?? NO_MEMBERS;
    this.#waiting = undefined;
    this.#session.onTried(waiting, current);
  }
}
