import type { LabelOrigin } from '../contract/provenance.js';
import type { SessionStore } from '../contract/session-store.js';
import { microtask, now } from '../util/clock.js';
import { type AppendingSession, LabelAppends } from './label-appends.js';
import { LabelOrigins } from './label-origins.js';
import type { SessionMember } from './session-member.js';

const NO_LABELS: readonly string[] = Object.freeze([]);

/** Keeps the sessions that are in use. */
export interface SessionOwner {
  readonly store: SessionStore;
  /** How long acknowledged labels are remembered after the last use of their session, in milliseconds. */
  readonly memoryMs: number;
  /** Puts a session back into use. Returns another object if one is in use for the same id. */
  revive(session: KnownSession): KnownSession;
  /** Every label of the session was tried. `by` has made the last append. */
  onTried(session: KnownSession, by: SessionMember): void;
  /** The session has no member, and all its labels are acknowledged. */
  retire(session: KnownSession): void;
}

/**
 * One session in this process. Its members are its requests and open sessions: a label that one member adds is given to all
 * members at once. While this process adds no label to a session, the object is only the list of its members.
 */
export class KnownSession implements AppendingSession {
  readonly id: string;
  readonly #owner: SessionOwner;
  #members: SessionMember[] = [];
  /** The labels that the latest load has returned, and earlier ones that it has not returned. */
  #loaded = NO_LABELS;
  /** The number of `#loaded` in the order of all loads and acknowledgements. */
  #loadedNumber = 0;
  #knownCount = 0;
  #usedAtMs = 0;
  #appends: LabelAppends | undefined;
  /** Only if the store keeps origins. */
  #origins: LabelOrigins | undefined;

  constructor(id: string, owner: SessionOwner) {
    this.id = id;
    this.#owner = owner;
  }

  /** Whether a label waits for its append, or is in an append in flight. */
  get unsettled(): boolean {
    return this.#appends?.unsettled ?? false;
  }

  /** Whether there is a label whose last append has failed. */
  get owes(): boolean {
    return this.#appends?.owes ?? false;
  }

  /** Whether there is a label that the store has not acknowledged. */
  get unacknowledged(): boolean {
    return this.#appends !== undefined && (this.#appends.unsettled || this.#appends.owes);
  }

  /** Whether there are labels to remember when the session is not in use. */
  get memorable(): boolean {
    return this.#loaded.length > 0 || (this.#appends?.remembers ?? false);
  }

  /** Whether the session is in use, or was within `memoryMs`. */
  get isRecent(): boolean {
    return this.#members.length > 0 || now() - this.#usedAtMs <= this.#owner.memoryMs;
  }

  /** How many loads and acknowledgements have ended so far. A load that starts now must return all their labels. */
  get knownCount(): number {
    return this.#knownCount;
  }

  /** The labels that the store has returned or acknowledged. A label may occur twice. */
  *storedLabels(): Generator<string> {
    yield* this.#loaded;
    if (this.#appends) yield* this.#appends.acknowledged();
  }

  /** Whether this process may know labels of the session. */
  get knows(): boolean {
    return this.#appends !== undefined;
  }

  /** The labels that this process has added and still knows. */
  labels(): Iterable<string> {
    return this.#appends?.labels() ?? [];
  }

  join(member: SessionMember): void {
    // push() on an empty list reserves memory for seventeen members
    if (this.#members.length === 0) this.#members = [member];
    else this.#members.push(member);
  }

  /** Removes a member, and starts the append of labels that no response waits for. */
  leave(member: SessionMember): void {
    const members = this.#members;
    const at = members.indexOf(member);
    if (at < 0) return;
    const last = members.pop() as SessionMember;
    if (last !== member) members[at] = last;
    if (this.unsettled) this.settle(member);
    else this.#retireIfIdle();
  }

  /**
   * Adds a label of a member, which may have left. Returns the object that is in use for this session.
   * @param by the guard or rule that adds the label
   */
  add(label: string, from: SessionMember, by?: string): KnownSession {
    const session = this.#owner.revive(this);
    session.#add(label, from, by);
    return session;
  }

  /** Adds a label also if the store has acknowledged it, because the store may have lost it since then. */
  addAgain(label: string, from: SessionMember, by: string): KnownSession {
    const session = this.#owner.revive(this);
    session.#appends?.distrust(label);
    session.#add(label, from, by);
    return session;
  }

  #add(label: string, from: SessionMember, by: string | undefined): void {
    this.#appends ??= new LabelAppends(this);
    if (!this.#appends.add(label, from)) return;
    if (this.#owner.store.provenance) this.#noteOrigin(label, from.originOf(by));
    if (this.#members.length === 1 && this.#members[0] === from) return;
    for (const member of [...this.#members]) if (member !== from) member.onLabel(label);
  }

  #noteOrigin(label: string, origin: LabelOrigin): void {
    this.#origins ??= new LabelOrigins();
    this.#origins.note(label, origin);
  }

  /** Appends until every label was tried, and then notifies the member, never during this call. */
  settle(member: SessionMember): void {
    if (this.#appends?.unsettled) this.#appends.settle(member);
    else {
      microtask(() => {
        member.onSettled();
        // add() may have put a session without members back into use for a label that is acknowledged already
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

  /** A load starts. Appends labels whose last append has failed; returns the promise of that append, if there are any. */
  onLoad(member: SessionMember): Promise<void> | undefined {
    this.#use();
    if (!this.#appends || !this.owes) return undefined;
    const persisted = this.#appends.persist(member);
    // if the load fails, nothing else handles this rejection
    persisted.catch(() => {});
    return persisted;
  }

  /** Notes the use of the session. Forgets its stored labels if the last use is longer ago than `memoryMs`. */
  #use(): void {
    const nowMs = now();
    if (nowMs - this.#usedAtMs > this.#owner.memoryMs) {
      this.#loaded = NO_LABELS;
      this.#appends?.forget();
      this.#origins?.keepOnly(this.labels());
    }
    this.#usedAtMs = nowMs;
  }

  /**
   * A load has ended. Labels that the store has lost will be appended again. Returns how many there are.
   * @param knownAtStart the value of `knownCount` when the load started
   */
  onLoaded(member: SessionMember, knownAtStart: number, loaded: readonly string[]): number {
    const missing = missingIn(loaded, this.#loaded);
    // an older load, which has ended in the meantime, could not return these labels
    const lost = this.#loadedNumber <= knownAtStart ? missing : NO_LABELS;
    this.#loaded = missing.length === 0 ? loaded : [...loaded, ...missing];
    this.#knownCount += 1;
    this.#loadedNumber = this.#knownCount;
    if (lost.length > 0) this.#appends ??= new LabelAppends(this);
    return this.#appends?.tryLost(member, knownAtStart, loaded, lost) ?? 0;
  }

  onAcknowledged(): number {
    this.#usedAtMs = now();
    this.#knownCount += 1;
    return this.#knownCount;
  }

  append(labels: readonly string[]): PromiseLike<void> {
    const { store } = this.#owner;
    const origins = this.#origins?.of(labels);
    return origins ? store.appendLabels(this.id, labels, origins) : store.appendLabels(this.id, labels);
  }

  onTried(waiting: readonly SessionMember[], by: SessionMember): void {
    for (const member of union(this.#members, waiting)) notify(member, by);
    this.#owner.onTried(this, by);
    this.#retireIfIdle();
  }

  #retireIfIdle(): void {
    if (this.#members.length === 0 && !this.unacknowledged) this.#owner.retire(this);
  }
}

/** The labels of `earlier` that `loaded` does not contain. Most loads return the same labels in the same order. */
function missingIn(loaded: readonly string[], earlier: readonly string[]): readonly string[] {
  if (earlier.length <= loaded.length && earlier.every((label, index) => label === loaded[index])) return NO_LABELS;
  const found = new Set(loaded);
  return earlier.filter((label) => !found.has(label));
}

/** Each member of both lists once. The result does not change when members join or leave. */
function union(members: readonly SessionMember[], waiting: readonly SessionMember[]): Iterable<SessionMember> {
  // most sessions have one member, which waits, and this is on the path of every new label
  if (waiting.length === 1 && members.length === 1 && members[0] === waiting[0]) return waiting;
  return new Set([...members, ...waiting]);
}

/** Notifies a member in its own context. This call already runs in the context of `by`, which made the append. */
function notify(member: SessionMember, by: SessionMember): void {
  if (member === by) member.onSettled();
  else member.inContext(() => member.onSettled());
}
