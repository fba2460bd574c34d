import { AplSessionError } from '../contract/errors.js';
import { now } from '../util/clock.js';
import type { TimedCall } from '../util/deadlines.js';
import { AcknowledgedLabels } from './acknowledged-labels.js';
import type { SessionMember } from './session-member.js';

/** The session whose labels are appended. */
export interface AppendingSession {
  /** Calls the store. */
  append(labels: readonly string[]): PromiseLike<void>;
  /** Every label was tried. `waiting` has the members that wait for this, and `by` is the one that made the append. */
  onTried(waiting: ReadonlySet<SessionMember>, by: SessionMember): void;
}

type Persisted = (error?: AplSessionError) => void;

const NO_LABELS: readonly string[] = Object.freeze([]);
const NO_CALLBACKS: readonly Persisted[] = Object.freeze([]);

/**
 * The labels of one session on their way to the store. A label moves forward only: *untried*, *trying* (in the append that
 * is under way), then *acknowledged*, or *owed* if the append failed. There is at most one append at a time. It has every
 * label that is not acknowledged, and this object is itself its call.
 */
export class LabelAppends implements TimedCall<void> {
  readonly #session: AppendingSession;
  #untried: string[] | undefined;
  /** Frozen, so that a store cannot empty it. */
  #trying: readonly string[] | undefined;
  #owed = NO_LABELS;
  readonly #acknowledged = new AcknowledgedLabels();
  /** The untried, trying and owed ones, for a quick look. */
  readonly #unacknowledged = new Set<string>();
  #usedAtMs = 0;
  /** The member that makes the next append and reports its failure: the first one whose label is in it. */
  #next: SessionMember | undefined;
  /** The same for the append under way. */
  #current: SessionMember | undefined;
  /** The members that wait until every label was tried. Some may have left the session. */
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

  /** How many acknowledgements there were. */
  get acknowledgements(): number {
    return this.#acknowledged.count;
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

  /** Adds a label. Returns whether it is new here. */
  add(label: string, from: SessionMember): boolean {
    if (this.#unacknowledged.has(label) || this.#acknowledged.has(label)) return false;
    this.#unacknowledged.add(label);
    this.#untried ??= [];
    this.#untried.push(label);
    this.#next ??= from;
    return true;
  }

  /** Appends until every label was tried, which `onTried` tells. There must be an unsettled one. */
  settle(member: SessionMember): void {
    this.#waiting.add(member);
    this.#begin(member);
    if (this.#current !== member) member.keepContext();
  }

  /** Appends until every label is acknowledged, or an append has failed. There must be one that is not. */
  persist(member: SessionMember): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#persisted = this.#persisted.concat((error) => (error ? reject(error) : resolve()));
      this.#begin(member);
    });
  }

  /** Forgets what was acknowledged if the session was not used for so long, and notes that it is used now. */
  use(memoryMs: number): void {
    const nowMs = now();
    if (nowMs - this.#usedAtMs > memoryMs) this.#acknowledged.clear();
    this.#usedAtMs = nowMs;
  }

  /** Makes labels untried again that a load should have returned. Returns whether there are any. */
  tryLost(member: SessionMember, acknowledgements: number, loaded: readonly string[]): boolean {
    const lost = this.#acknowledged.takeLost(acknowledgements, loaded);
    if (lost.length === 0) return false;
    this.#untried = lost.concat(this.#untried ?? NO_LABELS);
    for (const label of lost) this.#unacknowledged.add(label);
    this.#next ??= member;
    return true;
  }

  start(): PromiseLike<void> {
    this.#trying = Object.freeze(this.#owed.concat(this.#untried ?? NO_LABELS));
    this.#untried = undefined;
    this.#current?.assertRoom();
    return this.#session.append(this.#trying);
  }

  onValue(): void {
    const acknowledged = this.#trying ?? NO_LABELS;
    this.#acknowledged.add(acknowledged);
    for (const label of acknowledged) this.#unacknowledged.delete(label);
    this.#usedAtMs = now();
    this.#owed = NO_LABELS;
    this.#onTried();
  }

  onError(cause: unknown): void {
    this.#owed = this.#trying ?? NO_LABELS;
    this.#current?.onAppendFailed(cause);
    this.#onTried(
      new AplSessionError('session.persist_failed', 'The labels of the session could not be persisted.', { cause }),
    );
  }

  /** Begins an append in the context of this call, unless one is under way: that one is followed by the next. */
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
