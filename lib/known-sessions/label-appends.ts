import { AplSessionError } from '../contract/errors.js';
import type { TimedCall } from '../util/deadlines.js';
import { AcknowledgedLabels } from './acknowledged-labels.js';
import type { SessionMember } from './session-member.js';

/** The session whose labels are appended. */
export interface AppendingSession {
  /** Calls the store. */
  append(labels: readonly string[]): PromiseLike<void>;
  /** The store has acknowledged labels. Returns the number of this acknowledgement. */
  onAcknowledged(): number;
  /** Every label was tried. `waiting` are the members to notify, and `by` has made the last append. */
  onTried(waiting: ReadonlySet<SessionMember>, by: SessionMember): void;
}

type Persisted = (error?: AplSessionError) => void;

const NO_LABELS: readonly string[] = Object.freeze([]);
const NO_CALLBACKS: readonly Persisted[] = Object.freeze([]);

/**
 * The labels of one session on their way to the store. A label is *untried*, then *trying* (in the append in flight), then
 * *acknowledged*, or *owed* if the append has failed. At most one append is in flight; it contains every label that is not
 * acknowledged. This object is also the call of the append, which saves an allocation.
 */
export class LabelAppends implements TimedCall<void> {
  readonly #session: AppendingSession;
  #untried: string[] | undefined;
  /** Frozen, because the store gets this array. */
  #trying: readonly string[] | undefined;
  #owed = NO_LABELS;
  readonly #acknowledged = new AcknowledgedLabels();
  /** All labels that are untried, trying or owed. */
  readonly #unacknowledged = new Set<string>();
  /** The member that makes the next append and reports its failure: the first one that has added a label to it. */
  #next: SessionMember | undefined;
  /** The same for the append in flight. */
  #current: SessionMember | undefined;
  /** The members to notify when every label was tried. Some may have left the session. */
  #waiting = new Set<SessionMember>();
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

  get acknowledged(): Iterable<string> {
    return this.#acknowledged;
  }

  get remembers(): boolean {
    return this.#acknowledged.size > 0;
  }

  *labels(): Generator<string> {
    yield* this.#acknowledged;
    yield* this.#owed;
    if (this.#trying) yield* this.#trying;
    if (this.#untried) yield* this.#untried;
  }

  /** Adds a label. Returns whether it is new. */
  add(label: string, from: SessionMember): boolean {
    if (this.#unacknowledged.has(label) || this.#acknowledged.has(label)) return false;
    this.#unacknowledged.add(label);
    this.#untried ??= [];
    this.#untried.push(label);
    this.#next ??= from;
    return true;
  }

  /** Appends until every label was tried, and then calls `onTried`. At least one label must be untried or trying. */
  settle(member: SessionMember): void {
    this.#waiting.add(member);
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
    this.#acknowledged.delete(label);
  }

  /** Forgets the acknowledged labels. */
  forget(): void {
    this.#acknowledged.clear();
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
    const lost = new Set([...this.#acknowledged.takeLost(knownAtStart, loaded), ...lostLoaded]);
    const untried = [...lost].filter((label) => !this.#unacknowledged.has(label));
    if (untried.length === 0) return lost.size;
    this.#untried = untried.concat(this.#untried ?? NO_LABELS);
    for (const label of untried) this.#unacknowledged.add(label);
    this.#next ??= member;
    return lost.size;
  }

  start(): PromiseLike<void> {
    this.#trying = Object.freeze(this.#owed.concat(this.#untried ?? NO_LABELS));
    this.#untried = undefined;
    this.#current?.assertRoom();
    return this.#session.append(this.#trying);
  }

  onValue(): void {
    const acknowledged = this.#trying ?? NO_LABELS;
    this.#acknowledged.add(acknowledged, this.#session.onAcknowledged());
    for (const label of acknowledged) this.#unacknowledged.delete(label);
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
    const waits = this.#waiting.size > 0 || (!error && persisted.length > 0);
    const goesOn = waits && this.#untried !== undefined;
    if (error || !goesOn) {
      this.#persisted = NO_CALLBACKS;
      for (const callback of persisted) callback(error);
    }
    if (goesOn) {
      this.#begin(current);
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = new Set();
    this.#session.onTried(waiting, current);
  }
}
