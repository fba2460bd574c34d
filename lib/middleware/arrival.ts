import type { NextFunction, Request, Response } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';
import { LOAD_FAILED, PERSIST_FAILED, SESSION_REQUIRED, SESSION_UNKNOWN } from '../denial/violations.js';
import type { LoadListener } from '../known-sessions/store-access.js';
import { assertGateable } from '../node/assert-gateable.js';
import { copyHeaders, NO_HEADERS } from '../node/response-headers.js';
import {
  type MissingSession,
  type ResolvedSession,
  toMissingSession,
  toResolvedSession,
} from '../session/resolved-session.js';
import { isPromiseLike } from '../util/maybe-promise.js';
import type { Exchange, Mount } from './exchange.js';
import type { RequestObserver } from './request-observer.js';
import { SessionRequest } from './session-request.js';
import { attachSecurity } from './session-security.js';

/** A request on its way to the handlers: `enter`, `#load`, and then `#open` or `#refuse`. */
export class Arrival implements Exchange, LoadListener {
  readonly req: Request;
  readonly res: Response;
  readonly mount: Mount;
  trace: RequestObserver | undefined;
  headersAtEntry = NO_HEADERS;
  readonly #next: NextFunction;
  /** The request as an earlier mount has found it. */
  readonly #mounted: SessionRequest | undefined;
  #request: SessionRequest | undefined;
  /** Whether this request enrols its session. */
  readonly #enrols: boolean;

  constructor(
    req: Request,
    res: Response,
    next: NextFunction,
    mount: Mount,
    mounted: SessionRequest | undefined,
    enrols = false,
  ) {
    this.req = req;
    this.res = res;
    this.mount = mount;
    this.trace = undefined;
    this.#next = next;
    this.#mounted = mounted;
    this.#enrols = enrols;
  }

  /** Resolves the session, and goes on at once if the resolver is synchronous and the request has no session. */
  enter(): void {
    try {
      assertGateable(this.res);
      this.trace = this.mount.trace.begin(this.req, this.res);
      this.headersAtEntry = copyHeaders(this.res);
      const answer = this.mount.session(this.req);
      if (isPromiseLike(answer)) {
        this.#await(answer);
        return;
      }
      if (!this.#load(answer)) return;
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#next();
  }

  #await(answer: PromiseLike<unknown>): void {
    Promise.resolve(answer).then(
      (awaited) => this.#proceed(() => this.#load(awaited)),
      (error) => this.#fail(error),
    );
  }

  /** Runs a step, which returns whether the request goes on to the handlers now. An error goes to Express. */
  #proceed(step: () => boolean): void {
    try {
      if (!step()) return;
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#next();
  }

  #fail(error: unknown): void {
    this.trace?.failed(error);
    this.#next(error);
  }

  #load(answer: unknown): boolean {
    const { req, mount } = this;
    const session = toResolvedSession(answer);
    if (this.#isServedByMounted(session)) {
      this.trace?.servedByEarlierMount();
      return this.#passMounted();
    }
    if (!session) return this.#enterWithoutSession(toMissingSession(mount.session, req, answer));
    mount.missingSessions.found(req);
    this.trace?.session(session);
    this.#request = new SessionRequest(this, session);
    this.#request.load(session.id, this);
    return false;
  }

  /**
   * Whether an earlier mount serves this one as well: it found the same session in the same store, or this one finds none. If
   * the earlier mount found no session (it was mounted before the authentication, for example), this one takes over.
   * @throws AplSessionError `middleware.conflict` for two sessions, or one session in two stores
   */
  #isServedByMounted(session: ResolvedSession | undefined): boolean {
    const mounted = this.#mounted;
    if (!mounted) return false;
    const { sessionId } = mounted;
    if (session === undefined) return sessionId !== undefined || (this.mount.sessionless === 'allow' && !this.#enrols);
    if (sessionId === undefined) return false;
    if (mounted.access.store === this.mount.access.store && sessionId === session.id) return true;
    throw new AplSessionError(
      'middleware.conflict',
      'Two mounts of aplSessionMiddleware found different sessions, or keep the session in different stores. Mount one, or give both the same session and store.',
    );
  }

  #passMounted(): boolean {
    const request = this.#mounted;
    if (request?.sessionId === undefined || request.isEnrolled) return true;
    this.#request = request;
    if (this.#enrols) this.#enroll(request, undefined);
    // the earlier mount may accept any session
    else if (this.mount.sessions === 'enrolled') this.#refuseUnknown(request);
    else return true;
    return false;
  }

  #enterWithoutSession(session: MissingSession): boolean {
    const { res, mount } = this;
    this.trace?.noSession(session.reason);
    if (mount.sessionless === 'allow' && !this.#enrols) return this.#open(new SessionRequest(this, session), []);
    const request = this.#mounted ?? new SessionRequest(this, session);
    request.reliesOnSession(this.#instanceOf(request));
    if (!res.headersSent) request.deny(SESSION_REQUIRED, mount.denial);
    return false;
  }

  onLoaded(storedLabels: readonly string[], isEnrolled: boolean): void {
    this.trace?.loaded(storedLabels);
    const request = this.#request as SessionRequest;
    request.isEnrolled = isEnrolled;
    if (isEnrolled || (this.mount.sessions === 'any' && !this.#enrols)) this.#enterWith(request, storedLabels);
    else if (this.#enrols) this.#enroll(request, storedLabels);
    else this.#refuseUnknown(request);
  }

  /** @param storedLabels `undefined` if an earlier mount has opened the request already */
  #enroll(request: SessionRequest, storedLabels: readonly string[] | undefined): void {
    const { access } = this.mount;
    const onEnrolled = (): void => {
      request.isEnrolled = true;
      if (storedLabels) this.#enterWith(request, storedLabels);
      else this.#next();
    };
    access.enroll(request.sessionId ?? '').then(onEnrolled, (cause: unknown) => {
      const response = { decisionWasAllow: true, bytesSent: false };
      const scope = { at: this.req, secrets: request.secrets(), instance: this.#instanceOf(request) };
      access.alarms.storeFailure('append', cause, scope, response);
      this.#refuse(PERSIST_FAILED);
    });
  }

  #refuseUnknown(request: SessionRequest): void {
    this.mount.missingSessions.unknown(this.req, request.secrets(), this.#instanceOf(request));
    this.#refuse(SESSION_UNKNOWN);
  }

  onLabelsLost(count: number): void {
    this.mount.access.alarms.regression(count, { at: this.req, secrets: this.#request?.secrets() ?? [] });
  }

  onLoadFailed(cause: unknown): void {
    this.trace?.loadFailed(cause);
    // the process may know labels of the session, and the error of a store may name them
    const secrets = this.#request?.secrets() ?? [];
    const scope = { at: this.req, secrets, instance: this.#instanceOf(this.#request) };
    this.mount.access.alarms.storeFailure('load', cause, scope);
    this.#refuse(LOAD_FAILED);
  }

  onOwedFailed(): void {
    this.trace?.owedFailed();
    this.#refuse(PERSIST_FAILED);
  }

  /** Like `#proceed`, without a function for each request. */
  #enterWith(request: SessionRequest, storedLabels: readonly string[]): void {
    try {
      this.#open(request, storedLabels);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#next();
  }

  #open(request: SessionRequest, storedLabels: readonly string[]): true {
    request.begin(storedLabels);
    attachSecurity(this.req, request, this.mount.property);
    return true;
  }

  /** The id of the denial of this request; `undefined` if the request was answered already and gets no denial. */
  #instanceOf(request: SessionRequest | undefined): string | undefined {
    return this.res.headersSent ? undefined : request?.denialInstance;
  }

  #refuse(violation: Violation): void {
    this.#proceed(() => {
      // earlier middleware, a timeout for example, may have answered during the load
      if (!this.res.headersSent) this.#request?.deny(violation);
      return false;
    });
  }
}
