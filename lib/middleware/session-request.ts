import { AsyncResource } from 'node:async_hooks';
import type { Request, Response } from 'express';
import type { Violation } from '../contract/security.js';
import type { DenialRenderer } from '../denial/denial.js';
import type { HeaderSnapshot } from '../denial/entry-headers.js';
import { defaultDenial, renderDenial } from '../denial/render-denial.js';
import { PERSIST_FAILED, toViolation } from '../denial/violations.js';
import type { GateKeeper, Verdict, VerdictListener } from '../gate/gate-keeper.js';
import { ResponseGate } from '../gate/response-gate.js';
import { OwedMember } from '../labels/background-member.js';
import type { KnownSession } from '../labels/known-session.js';
import { LabelSet, type NewLabelListener } from '../labels/label-set.js';
import type { OwingSession, SessionMember } from '../labels/session-member.js';
import type { LoadingMember, StoreAccess } from '../labels/store-access.js';
import { destroyConnection } from '../node/connection.js';
import { isOver, onceOver } from '../node/on-response-close.js';
import type { NodeResponse } from '../node/server-response.js';
import type { MissingSession, ResolvedSession, SessionResolver } from '../session/resolved-session.js';
import { microtask } from '../util/clock.js';
import type { TimedCall } from '../util/deadlines.js';
import type { MissingSessions } from './missing-sessions.js';

/** What one `aplSessionMiddleware()` works with. */
export interface Mount {
  readonly access: StoreAccess;
  readonly session: SessionResolver;
  readonly sessionless: 'allow' | 'deny';
  readonly missingSessions: MissingSessions;
  readonly denial: DenialRenderer;
}

/** One request and its answer, as the middleware found them. */
export interface Exchange {
  readonly req: Request;
  readonly res: Response;
  readonly mount: Mount;
  readonly headersAtEntry: HeaderSnapshot;
}

const NOBODY: readonly VerdictListener[] = Object.freeze([]);
const NO_LABELS: readonly string[] = Object.freeze([]);

/** Is told, later, how the load of a request's session ended; no method may throw. */
export interface LoadListener {
  onLoaded(request: SessionRequest, storedLabels: readonly string[]): void;
  onLoadFailed(request: SessionRequest, cause: unknown): void;
  /** The labels were read, but others that the process owes to the session could not be appended. */
  onOwedFailed(request: SessionRequest): void;
}

/** A request that is a member of its session. */
interface Membership {
  session: KnownSession;
  readonly listener: LoadListener;
  /** An asynchronous context of the request: other requests hold and release its response, too, not in their own. */
  context: AsyncResource | undefined;
}

/**
 * A request of a session: its labels, its violation, and the rule by which its response is held, released or refused. A
 * request in whose session no label is added pays for this object only: the gate is put on its response with the first
 * label that is new.
 */
export class SessionRequest implements GateKeeper, LoadingMember, NewLabelListener {
  readonly #session: ResolvedSession | MissingSession;
  readonly #exchange: Exchange;
  #membership: Membership | undefined;
  /** What the store returned; `undefined` until then. */
  #storedLabels: readonly string[] | undefined;
  #labels: LabelSet | undefined;
  #gate: ResponseGate | undefined;
  /** Wait for a verdict on the response. */
  #listeners = NOBODY;
  #violation: Violation | undefined;
  #denial: DenialRenderer | undefined;
  #answered = false;
  /** The response is a denial that is still to be rendered. */
  #replaces = false;
  /** What leaves is a denial, so labels that could not be saved do not hold it any longer. */
  #denied = false;

  constructor(exchange: Exchange, session: ResolvedSession | MissingSession) {
    this.#exchange = exchange;
    this.#session = session;
  }

  get sessionId(): string | undefined {
    return this.#session.id;
  }

  get source(): string | undefined {
    return this.#session.source;
  }

  /** Joins the session and loads its labels. */
  load(sessionId: string, listener: LoadListener): void {
    const { res } = this.#exchange;
    let session: KnownSession;
    try {
      session = this.access.join(sessionId, this);
    } catch (error) {
      listener.onLoadFailed(this, error);
      return;
    }
    const membership: Membership = { session, listener, context: undefined };
    this.#membership = membership;
    if (isOver(res)) session.leave(this);
    else onceOver(res, () => membership.session.leave(this));
    membership.context = this.access.load(session, this);
  }

  onLoaded(storedLabels: readonly string[]): void {
    this.#membership?.listener.onLoaded(this, storedLabels);
  }

  onLoadFailed(cause: unknown): void {
    this.#membership?.listener.onLoadFailed(this, cause);
  }

  onOwedFailed(): void {
    this.#membership?.listener.onOwedFailed(this);
  }

  /** The handlers may run. */
  begin(storedLabels: readonly string[]): void {
    this.#storedLabels = storedLabels;
    const session = this.#membership?.session;
    // made now, as the process may forget before they are asked for what it knows beside the store
    if (session?.knows) this.#makeLabels();
    if (session?.unacknowledged) this.#hold();
  }

  get access(): StoreAccess {
    return this.#exchange.mount.access;
  }

  /** Made when they are first asked for, which most requests never do. */
  get labels(): LabelSet {
    return this.#labels ?? this.#makeLabels();
  }

  #makeLabels(): LabelSet {
    this.#labels = new LabelSet(this.#presentLabels(), this);
    return this.#labels;
  }

  *#presentLabels(): Generator<string> {
    yield* this.#storedLabels ?? NO_LABELS;
    if (this.#membership) yield* this.#membership.session.labels();
  }

  get violation(): Violation | undefined {
    return this.#violation;
  }

  /** @param denial how to answer this violation; default: as the mount does */
  deny(violation: Violation, denial?: DenialRenderer): void {
    this.record(violation);
    this.#denied = true;
    if (this.#answered) return;
    this.#answered = true;
    this.#denial = denial;
    const gate = this.#gated();
    const { res, headersAtEntry } = this.#exchange;
    if (res.headersSent) {
      gate.refuse();
      return;
    }
    // ends the response for all who wrap it; what they make of it, headers included, is replaced at the gate
    this.#replaces = true;
    gate.endBy(() => void defaultDenial({ violation: this.#violation ?? PERSIST_FAILED, headersAtEntry }, res));
  }

  async persist(): Promise<void> {
    const membership = this.#membership;
    if (membership?.session.unacknowledged) await membership.session.persist(this);
    this.#gate?.reconsider();
  }

  /** Takes a violation over without answering; the first one stays. What leaves is no denial because of it. */
  record(violation: Violation): void {
    const checked = toViolation(violation);
    this.#violation ??= checked;
  }

  /** Labels or a guard are concerned with the session of this request: where it has none, that is told. */
  reliesOnSession(): void {
    const { req, mount } = this.#exchange;
    if (this.#session.id !== undefined) mount.missingSessions.found(req);
    else mount.missingSessions.missing(req, this.#session.reason, this.#labels ?? []);
  }

  onNewLabel(label: string): void {
    this.reliesOnSession();
    const membership = this.#membership;
    // without a session a label has no way into the store, and holds nothing
    if (!membership) return;
    const session = membership.session.add(label, this);
    membership.session = session;
    const { res } = this.#exchange;
    const over = isOver(res);
    // after the end of the response nothing else may begin the append, and the label must not be lost
    if (over || res.writableEnded) microtask(() => session.settle(this));
    if (!over) this.#gated().close();
  }

  onLabel(label: string): void {
    // a load has yet to return what the session has, and begin() takes this label then
    if (!this.#storedLabels) return;
    this.labels.receive(label);
    this.inContext(() => this.#hold());
  }

  /** Holds the response because of another request's label. If that cannot be, the response must not go on. */
  #hold(): void {
    const { res } = this.#exchange;
    if (isOver(res) || this.#isHeldByAnother()) return;
    try {
      this.#gated().close();
    } catch (error) {
      destroyConnection(res.socket ?? res.req.socket, error as Error);
    }
  }

  /** Whether another object for the same request, of the same session, has the gate of the response. */
  #isHeldByAnother(): boolean {
    const keeper = ResponseGate.keeperOf(this.#exchange.res);
    return (
      keeper instanceof SessionRequest && keeper !== this && keeper.#membership?.session === this.#membership?.session
    );
  }

  append(call: TimedCall<void>): void {
    this.access.append(call);
  }

  inContext(callback: () => void): void {
    const context = this.#membership?.context;
    if (context) context.runInAsyncScope(callback);
    else callback();
  }

  keepContext(): void {
    if (this.#membership) this.#membership.context = new AsyncResource('express-apl-session.request');
  }

  /** `#labels` must not be made here: it would be without what the load has yet to return. */
  assertRoom(): void {
    this.access.assertRoom(new Set(this.#presentLabels()).size);
  }

  forOwed(session: OwingSession): SessionMember {
    return new OwedMember(this.access, session);
  }

  onAppendFailed(cause: unknown): void {
    const response = { decisionWasAllow: !this.#isDenied(), bytesSent: this.#gate?.headOut ?? false };
    this.access.alarms.storeFailure('append', cause, { at: this.#exchange.req, secrets: this.#secrets() }, response);
  }

  #gated(): ResponseGate {
    this.#gate ??= ResponseGate.on(this.#exchange.res, this);
    return this.#gate;
  }

  mustHold(): boolean {
    return this.#replaces || this.#unsettled || (this.#unacknowledged && !this.#denied);
  }

  get #unsettled(): boolean {
    return this.#membership?.session.unsettled ?? false;
  }

  get #unacknowledged(): boolean {
    return this.#membership?.session.unacknowledged ?? false;
  }

  settle(listener: VerdictListener): void {
    // unlike a spread, this reserves no room for more
    this.#listeners = this.#listeners.concat(listener);
    this.#isDenied();
    if (this.#membership) this.#membership.session.settle(this);
    else microtask(() => this.onSettled());
  }

  onSettled(): void {
    this.#isDenied();
    const listeners = this.#listeners;
    this.#listeners = NOBODY;
    for (const listener of listeners) {
      // what the one before has let out may have led to another label, and what was not tried has not failed
      if (this.#unsettled) this.settle(listener);
      else listener.onVerdict(this.#verdict());
    }
    this.#gate?.reconsider();
  }

  answerRefusal(create: () => NodeResponse, done: (refusal: NodeResponse) => void): void {
    const { req, headersAtEntry, mount } = this.#exchange;
    const refusal = {
      violation: this.#violation ?? PERSIST_FAILED,
      render: this.#denial ?? mount.denial,
      headersAtEntry,
      onFailure: (error: unknown) => this.access.alarms.denialNotRendered(error, { at: req, secrets: this.#secrets() }),
    };
    renderDenial(refusal, create, done);
  }

  #verdict(): Verdict {
    if (this.#replaces) {
      this.#replaces = false;
      return 'refuse';
    }
    if (!this.#unacknowledged || this.#denied) return 'release';
    this.record(PERSIST_FAILED);
    this.#denied = true;
    this.#answered = true;
    return 'refuse';
  }

  /** G3. Whether what is held is a denial. */
  #isDenied(): boolean {
    this.#denied ||= this.#listeners.some(({ status }) => this.#isDenial(status));
    return this.#denied;
  }

  /** A violation that was only recorded makes no denial of a response that is none. */
  #isDenial(status = 0): boolean {
    return status === 401 || status === 403 || (this.#violation !== undefined && status >= 400);
  }

  #secrets(): string[] {
    return [this.sessionId ?? '', ...(this.#labels ?? []), ...this.#presentLabels()];
  }
}
