import type { Violation } from '../contract/security.js';
import { isAppDenial } from '../denial/app-denial.js';
import type { DenialRenderer } from '../denial/denial.js';
import { PERSIST_FAILED } from '../denial/violations.js';
import type { GateKeeper, Verdict, VerdictListener } from '../gate/gate-keeper.js';
import { ResponseGate } from '../gate/response-gate.js';
import type { KnownSession } from '../known-sessions/known-session.js';
import { destroyConnection } from '../node/connection.js';
import { hasHead, type NodeResponse, renderedHead, renderedStatus } from '../node/node-response.js';
import { isResponseClosed, onResponseClose } from '../node/on-response-close.js';
import { microtask } from '../util/clock.js';
import type { Exchange } from './exchange.js';
import { ResponseDenial } from './response-denial.js';
import { type Refusal, type ResponseReview, ResponseReviews } from './response-reviews.js';

/** The request of a response, as far as the response depends on it. */
export interface HeldRequest {
  /** `undefined` for a request without a session. */
  readonly session: KnownSession | undefined;
  /** Has every label of the session tried, and calls `onSettled` later. */
  settle(): void;
  /** Texts that no alarm may show. */
  secrets(): readonly string[];
}

/**
 * - `answer`: the app's response. It is held while a label is not acknowledged, and refused if the label cannot be stored.
 * - `app-denial`: the app's own denial (G3). It leaves as it is, whether labels could be stored or not.
 * - `denial-due`: `deny()` was called, and the denial is still to be rendered.
 * - `denial`: the denial is rendered, or the connection was cut.
 */
type ResponseState = 'answer' | 'app-denial' | 'denial-due' | 'denial';

const NOTHING: readonly VerdictListener[] = Object.freeze([]);

/** Decides whether the response of a request is held, released or refused. */
export class ResponseKeeper implements GateKeeper {
  readonly #exchange: Exchange;
  readonly #request: HeldRequest;
  #gate: ResponseGate | undefined;
  #state: ResponseState = 'answer';
  /** Only if there is a violation. */
  #denial: ResponseDenial | undefined;
  /** The holds without a verdict. */
  #pending = NOTHING;
  #reviews: ResponseReviews | undefined;

  constructor(exchange: Exchange, request: HeldRequest) {
    this.#exchange = exchange;
    this.#request = request;
  }

  get #denied(): ResponseDenial {
    this.#denial ??= new ResponseDenial(this.#exchange);
    return this.#denial;
  }

  get violation(): Violation | undefined {
    return this.#denial?.violation;
  }

  /** The id of the denial of this response. */
  get instance(): string {
    return this.#denied.instance;
  }

  /** The same; `undefined` if bytes have left, because the connection is cut then and the client gets no denial. */
  get #sentInstance(): string | undefined {
    return this.bytesSent ? undefined : this.instance;
  }

  /** The id of the denial after a failed append; `undefined` if the client then gets no denial of this package. */
  get instanceOfFailure(): string | undefined {
    this.#noteAppDenial();
    return this.#state === 'app-denial' ? undefined : this.#sentInstance;
  }

  /** Whether bytes of the response have left. */
  get bytesSent(): boolean {
    return this.#gate?.headOut ?? false;
  }

  /** How many bytes of the response are held now. */
  get heldBytes(): number {
    return this.#gate?.heldBytes ?? 0;
  }

  /** Holds the response from now on, while a label of the session is not acknowledged. */
  close(): void {
    this.#gated().close();
  }

  /** The same because of a label that another request has added. A response that cannot be held must not go on. */
  closeForSession(): void {
    const { res } = this.#exchange;
    if (isResponseClosed(res) || this.#isKeptForSession()) return;
    try {
      this.close();
    } catch (error) {
      destroyConnection(res.socket ?? res.req.socket, error as Error);
    }
  }

  /** Whether another mount holds this response because of the same session. */
  #isKeptForSession(): boolean {
    const keeper = ResponseGate.keeperOf(this.#exchange.res);
    return keeper instanceof ResponseKeeper && keeper !== this && keeper.#request.session === this.#request.session;
  }

  #gated(): ResponseGate {
    this.#gate ??= new ResponseGate(this.#exchange.res, this);
    return this.#gate;
  }

  /** Keeps the first violation. The response does not become a denial. */
  record(violation: Violation): void {
    this.#denied.record(violation);
  }

  /** @param denial renders this denial; default: the renderer of the middleware */
  deny(violation: Violation, denial?: DenialRenderer): void {
    this.record(violation);
    if (this.isDenied) return;
    const gate = this.#gated();
    const { res, trace } = this.#exchange;
    trace?.denied(violation.code, this.#sentInstance);
    this.#denied.renderBy(denial);
    if (res.headersSent) {
      this.#state = 'denial';
      gate.refuse();
      return;
    }
    // ends the response for its wrappers; the gate replaces their output, headers included, by the rendered denial
    this.#state = 'denial-due';
    gate.endBy(() => this.#denied.send());
  }

  /** Renders the denial if labels cannot be stored. */
  renderBy(denial: DenialRenderer): void {
    this.#denied.renderBy(denial);
  }

  /** Has the response reviewed before its header section leaves, or when its connection closes before that. */
  review(review: ResponseReview): void {
    const { res } = this.#exchange;
    if (!this.#reviews) {
      this.#reviews = new ResponseReviews();
      onResponseClose(res, () => this.#reviewClosed());
    }
    this.#reviews.add(review);
    if (isResponseClosed(res)) this.#reviewClosed();
    else this.close();
  }

  #reviewClosed(): void {
    if (this.#isReviewDue) this.#reviews?.run(undefined, () => {});
  }

  get #isReviewDue(): boolean {
    return this.#reviews?.isDue === true && !this.isDenied;
  }

  /** Whether a denial of this package takes the place of the response. */
  get isDenied(): boolean {
    return this.#state === 'denial-due' || this.#state === 'denial';
  }

  /** Interim responses leave before the review, because they hold nothing that it could check. */
  get #awaitsReview(): boolean {
    return this.#reviews?.isRunning === true || (this.#isReviewDue && hasHead(this.#exchange.res));
  }

  mustHold(): boolean {
    return (
      this.#state === 'denial-due' ||
      this.#isUnsettled ||
      (this.#isUnacknowledged && this.#state === 'answer') ||
      this.#awaitsReview
    );
  }

  get #isUnsettled(): boolean {
    return this.#request.session?.unsettled ?? false;
  }

  get #isUnacknowledged(): boolean {
    return this.#request.session?.unacknowledged ?? false;
  }

  settle(held: VerdictListener): void {
    this.#exchange.trace?.held(this);
    // a spread would reserve memory for more elements
    this.#pending = this.#pending.length === 0 ? [held] : this.#pending.concat(held);
    this.#noteAppDenial();
    if (!this.#awaitsReview) this.#settleLabels();
    else if (this.#isReviewDue) {
      this.#reviews?.run(renderedHead(this.#exchange.res), (refusal) => this.#onReviewed(refusal));
    }
  }

  #onReviewed(refusal: Refusal | undefined): void {
    if (refusal && this.#state === 'answer') {
      this.record(refusal.violation);
      this.#exchange.trace?.denied(refusal.violation.code, this.#sentInstance);
      this.#denied.renderBy(refusal.denial);
      this.#state = 'denial-due';
    }
    this.#settleLabels();
  }

  #settleLabels(): void {
    if (this.#request.session) this.#request.settle();
    else microtask(() => this.onSettled());
  }

  /** Every label of the session was tried: each is acknowledged, or its append has failed. */
  onSettled(): void {
    this.#noteAppDenial();
    const pending = this.#pending;
    this.#pending = NOTHING;
    for (const held of pending) {
      // output that the verdict before has released may have led to another label, which was not tried yet
      if (this.#isUnsettled) this.settle(held);
      else held.onVerdict(this.#tracedVerdict());
    }
    this.reconsider();
  }

  #tracedVerdict(): Verdict {
    const verdict = this.#verdict();
    const { trace } = this.#exchange;
    if (trace) {
      const instance = verdict === 'refuse' ? this.#sentInstance : undefined;
      trace.verdict(verdict, this.bytesSent, this.violation?.code, instance);
    }
    return verdict;
  }

  #verdict(): Verdict {
    if (this.#state === 'denial-due') {
      this.#state = 'denial';
      return 'refuse';
    }
    if (!this.#isUnacknowledged || this.#state !== 'answer') return 'release';
    this.record(PERSIST_FAILED);
    this.#state = 'denial';
    return 'refuse';
  }

  /** Releases a response of which nothing was sent, if nothing holds it any more. */
  reconsider(): void {
    // an interim response has opened the gate
    if (this.#isReviewDue) this.close();
    else this.#gate?.reconsider();
  }

  /** Whether the response is a denial, of this package or of the app. */
  isDenial(): boolean {
    this.#noteAppDenial();
    return this.#state !== 'answer';
  }

  /** Only while output is held: before that, the app may still replace the header section. */
  #noteAppDenial(): void {
    if (this.#state !== 'answer' || this.#pending.length === 0) return;
    if (isAppDenial(renderedStatus(this.#exchange.res), this.violation)) this.#state = 'app-denial';
  }

  renderDenial(create: () => NodeResponse, done: (denial: NodeResponse) => void): void {
    this.#denied.render(create, done, () => this.#request.secrets());
  }
}
