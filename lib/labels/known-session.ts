import { microtask, now } from '../contract/clock.js';
import type { TimedCall } from '../contract/deadlines.js';
import { AplSessionError } from '../contract/errors.js';
import type { SessionStore } from '../contract/session-store.js';
import { AcknowledgedLabels } from './acknowledged-labels.js';
import type { SessionMember } from './session-member.js';

/** Where sessions are kept while they are in use. */
export interface SessionOwner {
  readonly store: SessionStore;
  /** How long an acknowledged label is remembered after the last use of its session, in milliseconds. */
  readonly memoryMs: number;
  /** The object under which the session is known now: this one again, unless another has taken its place. */
  revive(session: KnownSession): KnownSession;
  /** The session has no member and owes nothing. */
  retire(session: KnownSession): void;
}

/** What was so when a load began. */
export interface LoadStart {
  readonly owes: boolean;
  readonly acknowledgements: number;
}

type Persisted = (error?: AplSessionError) => void;

const NO_LABELS: readonly string[] = Object.freeze([]);
const NO_MEMBERS: readonly SessionMember[] = Object.freeze([]);
const NO_CALLBACKS: readonly Persisted[] = Object.freeze([]);

/**
 * One session as this process knows it, shared by its requests and open sessions, which are its members.
 *
 * A label moves forward only: *untried* (added), *trying* (in the append that is under way), then *acknowledged*, or
 * *owed* if the append failed. What one member adds, all members have at once. There is at most one append at a time,
 * and it has all labels that are not acknowledged; the object is itself the call of that append.
 */
export class KnownSession implements TimedCall<void> {
  readonly name = 'append';
  readonly id: string;
  readonly #owner: SessionOwner;
  readonly #members = new Set<SessionMember>();
  #untried: string[] | undefined;
  /** Frozen, so that a store cannot empty it. */
  #trying: readonly string[] | undefined;
  #owed = NO_LABELS;
  #acknowledged: AcknowledgedLabels | undefined;
  /** The member that reports the failure of the next append: the first one whose label is in it. */
  #reporter: SessionMember | undefined;
  /** The same for the append under way. */
  #reporting: SessionMember | undefined;
  /** The members that wait until every label was tried; some may have left. */
  #waiting = NO_MEMBERS;
  #persisted = NO_CALLBACKS;
  #usedAtMs = 0;

  constructor(id: string, owner: SessionOwner) {
    this.id = id;
    this.#owner = owner;
  }

  /** Whether a label waits for an append, or for its end. */
  get unsettled(): boolean {
    return this.#untried !== undefined || this.#trying !== undefined;
  }

  /** Whether there is a label that the store has not acknowledged. */
  get unacknowledged(): boolean {
    return this.unsettled || this.owes;
  }

  /** Whether there is a label whose append has failed, and that no later append has stored. */
  get owes(): boolean {
    return this.#owed.length > 0;
  }

  /** Whether there is something to remember once nothing uses the session. */
  get memorable(): boolean {
    return this.#acknowledged !== undefined && this.#acknowledged.size > 0;
  }

  /** The labels that the process knows of, beside those that a load returns. */
  *labels(): Generator<string> {
    if (this.#acknowledged) yield* this.#acknowledged;
    yield* this.#owed;
    if (this.#trying) yield* this.#trying;
    if (this.#untried) yield* this.#untried;
  }

  join(member: SessionMember): void {
    this.#members.add(member);
  }

  /** Labels that no response waits for are appended now. */
  leave(member: SessionMember): void {
    if (!this.#members.delete(member)) return;
    if (this.#untried) this.settle(member);
    else this.#retireIfIdle();
  }

  /** Adds a label of a member, who may have left. Returns the object under which the session is known. */
  add(label: string, from: SessionMember): KnownSession {
    const session = this.#owner.revive(this);
    session.#add(label, from);
    return session;
  }

  #add(label: string, from: SessionMember): void {
    if (this.#knows(label)) return;
    this.#untried ??= [];
    this.#untried.push(label);
    this.#reporter ??= from;
    for (const member of this.#members) if (member !== from) member.onLabel(label);
  }

  /** Appends until every label was tried, and tells the member, later in any case. */
  settle(member: SessionMember): void {
    if (this.unsettled) {
      if (!this.#waiting.includes(member)) this.#waiting = this.#waiting.concat(member);
      this.#append(member);
    } else microtask(() => member.onSettled());
  }

  /**
   * Appends until the store has acknowledged every label of the session.
   * @throws AplSessionError `session.persist_failed`
   */
  persist(member: SessionMember): Promise<void> {
    if (!this.unacknowledged) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#persisted = this.#persisted.concat((error) => (error ? reject(error) : resolve()));
      this.#append(member);
    });
  }

  /** A load begins; what is owed is appended at the same time. Returns what `onLoaded` has to know of this moment. */
  onLoad(member: SessionMember): LoadStart {
    if (this.#acknowledged) this.#forgetExpired(this.#acknowledged);
    const { owes } = this;
    if (owes) this.#append(member);
    return { owes, acknowledgements: this.#acknowledged?.count ?? 0 };
  }

  /**
   * A load has ended. Labels that it should have returned are untried again: the store has lost them.
   * Returns whether the labels must be persisted before the member goes on.
   */
  onLoaded(member: SessionMember, { owes, acknowledgements }: LoadStart, loaded: readonly string[]): boolean {
    if (!this.memorable) return owes;
    const lost = this.#acknowledged?.takeLost(acknowledgements, loaded) ?? NO_LABELS;
    if (lost.length === 0) return owes;
    this.#untried = lost.concat(this.#untried ?? NO_LABELS);
    this.#reporter ??= member;
    return true;
  }

  start(): PromiseLike<void> {
    this.#trying = Object.freeze(this.#owed.concat(this.#untried ?? NO_LABELS));
    this.#untried = undefined;
    this.#reporting?.assertRoom();
    return this.#owner.store.appendLabels(this.id, this.#trying);
  }

  onValue(): void {
    this.#acknowledged ??= new AcknowledgedLabels();
    this.#acknowledged.add(this.#trying ?? NO_LABELS);
    this.#usedAtMs = now();
    this.#owed = NO_LABELS;
    this.#onTried();
  }

  onError(cause: unknown): void {
    this.#owed = this.#trying ?? NO_LABELS;
    this.#reporting?.onAppendFailed(cause);
    this.#onTried(
      new AplSessionError('session.persist_failed', 'The labels of the session could not be persisted.', { cause }),
    );
  }

  /** Begins an append, unless one is under way: that one is followed by another if it left labels untried. */
  #append(member: SessionMember): void {
    if (this.#reporting) return;
    this.#reporting = this.#reporter ?? member;
    this.#reporter = undefined;
    this.#reporting.run(this);
  }

  #onTried(error?: AplSessionError): void {
    const member = this.#reporting as SessionMember;
    this.#trying = undefined;
    this.#reporting = undefined;
    const persisted = this.#persisted;
    const waits = this.#waiting.length > 0 || (!error && persisted.length > 0);
    const goesOn = waits && this.#untried !== undefined;
    if (error || !goesOn) {
      this.#persisted = NO_CALLBACKS;
      for (const callback of persisted) callback(error);
    }
    if (goesOn) this.#append(member);
    else this.#notify();
  }

  #notify(): void {
    const waiting = this.#waiting;
    this.#waiting = NO_MEMBERS;
    for (const member of this.#members) member.onSettled();
    for (const member of waiting) if (!this.#members.has(member)) member.onSettled();
    this.#retireIfIdle();
  }

  #knows(label: string): boolean {
    const among = (labels: readonly string[] | undefined): boolean => labels?.includes(label) ?? false;
    return (
      (this.#acknowledged?.has(label) ?? false) || among(this.#untried) || among(this.#trying) || among(this.#owed)
    );
  }

  #forgetExpired(acknowledged: AcknowledgedLabels): void {
    const nowMs = now();
    if (nowMs - this.#usedAtMs > this.#owner.memoryMs) acknowledged.clear();
    this.#usedAtMs = nowMs;
  }

  #retireIfIdle(): void {
    if (this.#members.size === 0 && !this.unacknowledged) this.#owner.retire(this);
  }
}
