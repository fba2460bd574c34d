import { AsyncResource } from 'node:async_hooks';
import { routeName } from '../alarms/route-name.js';
import type { LabelOrigin } from '../contract/provenance.js';
import type { Violation } from '../contract/security.js';
import type { DenialRenderer } from '../denial/denial.js';
import { BackgroundMember } from '../known-sessions/background-member.js';
import type { KnownSession } from '../known-sessions/known-session.js';
import type { OwingSession, SessionMember } from '../known-sessions/session-member.js';
import type { LoadListener, StoreAccess } from '../known-sessions/store-access.js';
import { LabelSet, labelsIn, type NewLabelListener } from '../labels/label-set.js';
import { WatchedLabels } from '../labels/watched-labels.js';
import { isResponseClosed, onResponseClose } from '../node/on-response-close.js';
import { requestIdOf } from '../provenance/request-id.js';
import type { MissingSession, ResolvedSession } from '../session/resolved-session.js';
import { microtask, wallClock } from '../util/clock.js';
import type { TimedCall } from '../util/deadlines.js';
import { memberOf } from '../util/member-of.js';
import type { Exchange } from './exchange.js';
import { type HeldRequest, ResponseKeeper } from './response-keeper.js';
import type { ResponseReview } from './response-reviews.js';

const NO_LABELS: readonly string[] = Object.freeze([]);

/**
 * A request of a session, which connects the labels of the request, its session and its response. A request that adds no new
 * label creates only this object: its label set, and what holds its response, are created at the first use.
 */
export class SessionRequest implements SessionMember, NewLabelListener, HeldRequest {
  readonly #resolved: ResolvedSession | MissingSession;
  readonly #exchange: Exchange;
  /** Whether the store has the mark of an enrolled session. */
  isEnrolled = false;
  #session: KnownSession | undefined;
  /** The asynchronous context of the request. Other requests hold and release its response too, in their own contexts. */
  #context: AsyncResource | undefined;
  /** The labels that the store returned; `undefined` until then. */
  #storedLabels: readonly string[] | undefined;
  #labels: LabelSet | undefined;
  #keeper: ResponseKeeper | undefined;

  constructor(exchange: Exchange, resolved: ResolvedSession | MissingSession) {
    this.#exchange = exchange;
    this.#resolved = resolved;
  }

  get sessionId(): string | undefined {
    return this.#resolved.id;
  }

  get source(): string | undefined {
    return this.#resolved.source;
  }

  get access(): StoreAccess {
    return this.#exchange.mount.access;
  }

  get session(): KnownSession | undefined {
    return this.#session;
  }

  get #kept(): ResponseKeeper {
    this.#keeper ??= new ResponseKeeper(this.#exchange, this);
    return this.#keeper;
  }

  /** Joins the session until the response closes, and loads its labels. */
  load(sessionId: string, listener: LoadListener): void {
    const { res } = this.#exchange;
    try {
      this.#session = this.access.join(sessionId, this);
    } catch (error) {
      listener.onLoadFailed(error);
      return;
    }
    const leave = (): void => this.#session?.leave(this);
    if (!onResponseClose(res, leave)) leave();
    this.#context = this.access.load(this.#session, this, listener);
  }

  /** Called right before the handlers run. */
  begin(storedLabels: readonly string[]): void {
    this.#storedLabels = storedLabels;
    // the process may forget what it knows before a handler reads the labels, so the set is created now
    if (this.#session?.knows) this.#makeLabels();
    if (this.#session?.unacknowledged) this.#kept.closeForSession();
  }

  get labels(): LabelSet {
    return this.#labels ?? this.#makeLabels();
  }

  #makeLabels(): LabelSet {
    const isWatched = this.#resolved.id === undefined || this.#exchange.mount.missingSessions.hasReported;
    const present = this.#presentLabels();
    this.#labels = isWatched
      ? new WatchedLabels(present, this, () => this.reliesOnSession())
      : new LabelSet(present, this);
    return this.#labels;
  }

  #presentLabels(): readonly string[] {
    const stored = this.#storedLabels ?? NO_LABELS;
    return this.#session?.knows ? [...stored, ...this.#session.labels()] : stored;
  }

  #ownLabels(): Iterable<string> {
    return this.#labels ? labelsIn(this.#labels) : NO_LABELS;
  }

  get violation(): Violation | undefined {
    return this.#keeper?.violation;
  }

  /** The id of the denial of this request. */
  get denialInstance(): string {
    return this.#kept.instance;
  }

  deny(violation: Violation, denial?: DenialRenderer): void {
    this.#kept.deny(violation, denial);
  }

  /** Whether a denial of this package takes the place of the response. */
  get isDenied(): boolean {
    return this.#keeper?.isDenied ?? false;
  }

  record(violation: Violation): void {
    this.#kept.record(violation);
  }

  /** Has the response reviewed before its header section leaves. */
  review(review: ResponseReview): void {
    this.#kept.review(review);
  }

  /** Renders the denial if labels cannot be stored later. */
  renderBy(denial: DenialRenderer): void {
    this.#kept.renderBy(denial);
  }

  /** Tells the debug output which rule has denied. */
  traceRule(guard: string, rule: string): void {
    this.#exchange.trace?.ruleDenies(guard, rule);
  }

  async persist(): Promise<void> {
    if (this.#session?.unacknowledged) await this.#session.persist(this);
    this.#keeper?.reconsider();
  }

  /**
   * A label or a guard depends on the session of this request. If the request has none, an alarm says so.
   * @param instance the id of the denial, if the request is denied for that
   */
  reliesOnSession(instance?: string): void {
    const { req, mount } = this.#exchange;
    if (this.#resolved.id !== undefined) mount.missingSessions.found(req);
    else mount.missingSessions.missing(req, this.#resolved.reason, this.#ownLabels(), instance);
  }

  originOf(by: string | undefined): LabelOrigin {
    const { req, mount } = this.#exchange;
    const requestId = requestIdOf(req, mount.requestId);
    // a pattern may hold a label as a word: the record is about that label, so it is not hidden
    const route = routeName(req, [this.sessionId ?? '']);
    // a spread costs more than all else here
    const origin: { -readonly [Name in keyof LabelOrigin]: LabelOrigin[Name] } = { atMs: wallClock(), route };
    if (by !== undefined) origin.by = by;
    if (requestId !== undefined) origin.requestId = requestId;
    return origin;
  }

  onNewLabel(label: string, by: string | undefined): void {
    this.#exchange.trace?.added(label);
    this.reliesOnSession();
    // without a session, a label cannot be stored, and holds nothing
    if (!this.#session) return;
    this.#session = this.#session.add(label, this, by);
    const { res } = this.#exchange;
    const isClosed = isResponseClosed(res);
    // no later output will start the append
    if (isClosed || memberOf(res, 'finished')) microtask(() => this.settle());
    if (!isClosed) this.#kept.close();
  }

  onLabel(label: string): void {
    // before the load has ended, begin() will take this label from the session
    if (!this.#storedLabels) return;
    this.labels.receive(label);
    this.inContext(() => this.#kept.closeForSession());
  }

  settle(): void {
    this.#session?.settle(this);
  }

  onSettled(): void {
    this.#keeper?.onSettled();
  }

  onAppended(labels: readonly string[]): void {
    this.#exchange.trace?.appended(labels);
  }

  onAppendFailed(cause: unknown): void {
    this.#exchange.trace?.appendFailed(cause, this.secrets());
    // before the load has ended, the append is one of labels owed from before, and its failure denies this request
    const keeper = this.#storedLabels ? this.#keeper : this.#kept;
    const response = { decisionWasAllow: !keeper?.isDenial(), bytesSent: keeper?.bytesSent ?? false };
    const scope = { at: this.#exchange.req, secrets: this.secrets(), instance: keeper?.instanceOfFailure };
    this.access.alarms.storeFailure('append', cause, scope, response);
  }

  append(call: TimedCall<void>): void {
    this.access.append(call);
  }

  inContext(callback: () => void): void {
    if (this.#context) this.#context.runInAsyncScope(callback);
    else callback();
  }

  keepContext(): void {
    if (this.#session) this.#context = new AsyncResource('express-apl-session.request');
  }

  /** Does not create the label set: that would lack the labels that the load has not returned yet. */
  assertRoom(): void {
    let most = this.#storedLabels?.length ?? 0;
    for (const _ of this.#session?.labels() ?? NO_LABELS) most += 1;
    // a label may occur twice
    if (most > this.access.limits.maxLabelsPerSession) this.access.assertRoom(new Set(this.#presentLabels()).size);
  }

  forOwed(session: OwingSession): SessionMember {
    return BackgroundMember.forOwed(this.access, session);
  }

  secrets(): readonly string[] {
    const earlier = this.#session?.storedLabels() ?? NO_LABELS;
    return [this.sessionId ?? '', ...this.#ownLabels(), ...this.#presentLabels(), ...earlier];
  }
}
