import type { AsyncResource } from 'node:async_hooks';
import type { AlarmReporter } from '../alarms/alarm-reporter.js';
import { AplSessionError } from '../contract/errors.js';
import type { SessionStore } from '../contract/session-store.js';
import { ENROLLED, readEnrolment } from '../labels/enrolment.js';
import { isLabel } from '../labels/label.js';
import { assertLabelCount } from '../labels/label-limit.js';
import { now } from '../util/clock.js';
import { Deadlines, type TimedCall } from '../util/deadlines.js';
import { CallEvents } from './call-events.js';
import type { KnownSession } from './known-session.js';
import { KnownSessions } from './known-sessions.js';
import type { SessionMember } from './session-member.js';

/** Called with the result of a load, later in any case. No method may throw. */
export interface LoadListener {
  /** @param isEnrolled whether the session was enrolled */
  onLoaded(labels: readonly string[], isEnrolled: boolean): void;
  /** The store has lost labels of the session. They are appended again before `onLoaded`. */
  onLabelsLost(count: number): void;
  onLoadFailed(cause: unknown): void;
  /** The labels were read, but labels that the process owes to the session could not be appended. */
  onOwedFailed(): void;
}

/** Limits of one process, and of one session. */
export interface LabelLimits {
  readonly maxLabelsPerSession: number;
  readonly maxKnownSessions: number;
}

/** A store with its deadline and limits. */
export interface StoreBounds {
  readonly store: SessionStore;
  readonly storeTimeoutMs: number;
  readonly limits: LabelLimits;
}

/** How one middleware uses its store. */
export class StoreAccess {
  readonly store: SessionStore;
  readonly sessions: KnownSessions;
  readonly limits: LabelLimits;
  readonly alarms: AlarmReporter;
  readonly calls: CallEvents;
  readonly #loads: Deadlines;
  readonly #appends: Deadlines;

  constructor({ store, storeTimeoutMs, limits }: StoreBounds, alarms: AlarmReporter) {
    this.store = store;
    this.sessions = KnownSessions.of(store);
    this.limits = limits;
    this.alarms = alarms;
    this.calls = new CallEvents(alarms);
    const tooLate = (operation: string): AplSessionError =>
      new AplSessionError(
        'store.timeout',
        `The session store did not settle the ${operation} within ${storeTimeoutMs} ms.`,
      );
    this.#loads = new Deadlines(storeTimeoutMs, tooLate);
    this.#appends = new Deadlines(storeTimeoutMs, tooLate);
    this.sessions.repeatAppendsAfterReconnect((call) => this.append(call));
  }

  /**
   * Adds a member to a session.
   * @throws AplSessionError `session.capacity_exceeded`
   */
  join(sessionId: string, member: SessionMember): KnownSession {
    return this.sessions.join(sessionId, member, this.limits.maxKnownSessions);
  }

  /**
   * Loads the labels of a session for a member. Labels whose earlier append has failed are appended first. The load fails if the
   * store fails, throws, misses the deadline, or does not answer with an iterable of strings.
   * @returns the asynchronous context of this call
   */
  load(session: KnownSession, member: SessionMember, listener: LoadListener): AsyncResource {
    return this.#loads.run(new LoadCall(this, session, member, listener));
  }

  /** Connects the store, with the deadline of a load. Resolves at once for a store that needs no connection. */
  async ready(): Promise<void> {
    const { store } = this;
    if (store.ready) await this.#loads.promise('ready() call', async () => store.ready?.());
  }

  /** @throws AplSessionError `store.too_many_labels` */
  assertRoom(labels: number): void {
    assertLabelCount(labels, this.limits.maxLabelsPerSession);
  }

  /** Appends the mark of an enrolled session. Rejects if the store fails, throws or misses the deadline. */
  enroll(sessionId: string): Promise<void> {
    const start = (): Promise<void> => this.store.appendLabels(sessionId, [ENROLLED]);
    return new Promise((onValue, onError) => this.append({ name: 'append', start, onValue, onError }));
  }

  /** Starts an append. It fails if the store fails, throws or misses the deadline. */
  append(call: TimedCall<void>): void {
    this.#appends.run(this.calls.areWatched('append') ? this.calls.watched(call) : call);
  }

  /** Resolves when no append is in flight. */
  idle(): Promise<void> {
    return this.#appends.idle();
  }
}

class LoadCall implements TimedCall<unknown> {
  readonly #access: StoreAccess;
  readonly #session: KnownSession;
  readonly #member: SessionMember;
  readonly #listener: LoadListener;
  /** The append of earlier labels, and what was known, when the load started. */
  readonly #owed: Promise<void> | undefined;
  readonly #knownAtStart: number;
  readonly #startedAtMs: number;

  constructor(access: StoreAccess, session: KnownSession, member: SessionMember, listener: LoadListener) {
    this.#access = access;
    this.#session = session;
    this.#member = member;
    this.#listener = listener;
    this.#startedAtMs = access.calls.areWatched('load') ? now() : 0;
    this.#owed = session.onLoad(member);
    this.#knownAtStart = session.knownCount;
  }

  get name(): string {
    return 'load';
  }

  start(): PromiseLike<unknown> {
    return this.#access.store.loadLabels(this.#session.id);
  }

  onValue(reply: unknown): void {
    let labels: readonly string[];
    let isEnrolled: boolean;
    try {
      ({ labels, isEnrolled } = readEnrolment(labelsOf(reply)));
      this.#access.assertRoom(labels.length);
    } catch (error) {
      this.onError(error);
      return;
    }
    this.#access.calls.succeeded('load', this.#startedAtMs);
    const lost = this.#session.onLoaded(this.#member, this.#knownAtStart, labels);
    if (lost > 0) this.#listener.onLabelsLost(lost);
    if (lost > 0 || this.#owed) this.#persistFirst(lost > 0, labels, isEnrolled);
    else this.#listener.onLoaded(labels, isEnrolled);
  }

  #persistFirst(lost: boolean, labels: readonly string[], isEnrolled: boolean): void {
    Promise.all([this.#owed, lost && this.#session.persist(this.#member)]).then(
      () => this.#listener.onLoaded(labels, isEnrolled),
      () => this.#listener.onOwedFailed(),
    );
  }

  onError(cause: unknown): void {
    this.#access.calls.failed('load', this.#startedAtMs, cause);
    this.#listener.onLoadFailed(cause);
  }
}

function labelsOf(reply: unknown): readonly string[] {
  // a string is an iterable of strings, but not of labels
  if (typeof reply !== 'object' || reply === null || !(Symbol.iterator in reply)) throw malformed();
  // an iterator costs two objects and one more for each label, and a spread would reserve memory for more elements
  const labels: unknown[] = isPlainArray(reply) ? reply.slice() : Array.from(reply as Iterable<unknown>);
  // not every(), which skips holes
  for (const label of labels) {
    if (typeof label !== 'string') throw malformed();
    // a label that was decoded wrongly looks like another label, so the session would be without the real one
    if (!isLabel(label)) throw notALabel();
  }
  return labels as string[];
}

function isPlainArray(reply: object): reply is unknown[] {
  return Array.isArray(reply) && Object.getPrototypeOf(reply) === Array.prototype;
}

function notALabel(): AplSessionError {
  return new AplSessionError(
    'store.malformed_reply',
    'The session store has answered a load with a text that is not a label: it is empty, too long, not well-formed, or has a control character or U+FFFD.',
  );
}

function malformed(): AplSessionError {
  return new AplSessionError(
    'store.malformed_reply',
    'The session store must answer a load with an iterable of strings, and did not.',
  );
}
