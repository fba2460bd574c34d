import type { SessionStore } from '../contract/session-store.js';
import { microtask } from '../util/clock.js';
import { type AppendingSession, LabelAppends } from './label-appends.js';
import type { SessionMember } from './session-member.js';

/** Where sessions are kept while they are in use. */
export interface SessionOwner {
  readonly store: SessionStore;
  /** How long an acknowledged label is remembered after the last use of its session, in milliseconds. */
  readonly memoryMs: number;
  /** The object under which the session is known now: this one again, unless another has taken its place. */
  revive(session: KnownSession): KnownSession;
  /** Every label of the session was tried, in an append that `by` has made. */
  onTried(session: KnownSession, by: SessionMember): void;
  /** The session has no member, and every label is acknowledged. */
  retire(session: KnownSession): void;
}

/**
 * One session as this process knows it, shared by its requests and open sessions, which are its members. What one member
 * adds, all members have at once. A session to which this process adds no label is no more than the list of its members.
 */
export class KnownSession implements AppendingSession {
  readonly id: string;
  readonly #owner: SessionOwner;
  readonly #members: SessionMember[] = [];
  #appends: LabelAppends | undefined;

  constructor(id: string, owner: SessionOwner) {
    this.id = id;
    this.#owner = owner;
  }

  /** Whether a label waits for an append, or for its end. */
  get unsettled(): boolean {
    return this.#appends?.unsettled ?? false;
  }

  /** Whether there is a label whose append has failed, and that no later append has stored. */
  get owes(): boolean {
    return this.#appends?.owes ?? false;
  }

  /** Whether there is a label that the store has not acknowledged. */
  get unacknowledged(): boolean {
    return this.#appends !== undefined && (this.#appends.unsettled || this.#appends.owes);
  }

  /** Whether there is something to remember once nothing uses the session. */
  get memorable(): boolean {
    return this.#appends?.remembers ?? false;
  }

  /** How many acknowledgements there were, for `onLoaded`. */
  get acknowledgements(): number {
    return this.#appends?.acknowledgements ?? 0;
  }

  /** Whether this process has added a label to the session, and may remember it. */
  get knows(): boolean {
    return this.#appends !== undefined;
  }

  /** The labels that the process knows of, beside those that a load returns. */
  labels(): Iterable<string> {
    return this.#appends?.labels() ?? [];
  }

  join(member: SessionMember): void {
    this.#members.push(member);
  }

  /** Labels that no response waits for are appended now. */
  leave(member: SessionMember): void {
    const members = this.#members;
    const at = members.indexOf(member);
    if (at < 0) return;
    const last = members.pop() as SessionMember;
    if (last !== member) members[at] = last;
    if (this.unsettled) this.settle(member);
    else this.#retireIfIdle();
  }

  /** Adds a label of a member, who may have left. Returns the object under which the session is known. */
  add(label: string, from: SessionMember): KnownSession {
    const session = this.#owner.revive(this);
    session.#add(label, from);
    return session;
  }

  #add(label: string, from: SessionMember): void {
    this.#appends ??= new LabelAppends(this);
    if (!this.#appends.add(label, from)) return;
    for (const member of [...this.#members]) if (member !== from) member.onLabel(label);
  }

  /** Appends until every label was tried, and tells the member, later in any case. */
  settle(member: SessionMember): void {
    if (this.#appends?.unsettled) this.#appends.settle(member);
    else {
      microtask(() => {
        member.onSettled();
        // add() may have brought a session without members back into use, for a label that is acknowledged
        this.#retireIfIdle();
      });
    }
  }

  /**
   * Appends until the store has acknowledged every label of the session.
   * @throws AplSessionError `session.persist_failed`
   */
  persist(member: SessionMember): Promise<void> {
    return this.#appends && this.unacknowledged ? this.#appends.persist(member) : Promise.resolve();
  }

  /** A load begins. What is owed is appended at the same time; returns the promise of that, if there is something. */
  onLoad(member: SessionMember): Promise<void> | undefined {
    if (!this.#appends) return undefined;
    this.#appends.use(this.#owner.memoryMs);
    if (!this.owes) return undefined;
    const persisted = this.#appends.persist(member);
    // the load may fail, and then no one asks
    persisted.catch(() => {});
    return persisted;
  }

  /**
   * A load has ended. Labels that it should have returned are untried again: the store has lost them. Returns whether
   * there are any.
   * @param acknowledgements how many there were when the load began
   */
  onLoaded(member: SessionMember, acknowledgements: number, loaded: readonly string[]): boolean {
    return this.#appends?.tryLost(member, acknowledgements, loaded) ?? false;
  }

  append(labels: readonly string[]): PromiseLike<void> {
    return this.#owner.store.appendLabels(this.id, labels);
  }

  onTried(waiting: ReadonlySet<SessionMember>, by: SessionMember): void {
    for (const member of new Set([...this.#members, ...waiting])) tell(member, by);
    this.#owner.onTried(this, by);
    this.#retireIfIdle();
  }

  #retireIfIdle(): void {
    if (this.#members.length === 0 && !this.unacknowledged) this.#owner.retire(this);
  }
}

/** Notifies a member in its own context. This call already runs in the context of `by`, which made the append. */
function tell(member: SessionMember, by: SessionMember): void {
  if (member === by) member.onSettled();
  else member.inContext(() => member.onSettled());
}
