import type { Violation } from '../contract/security.js';
import type { DenialRenderer } from '../denial/denial.js';
import type { RenderedHead } from '../node/node-response.js';
import { type MaybePromise, whenSettled } from '../util/maybe-promise.js';

/** Why a reviewed response must not leave. */
export interface Refusal {
  readonly violation: Violation;
  /** `undefined` for the renderer of the middleware. */
  readonly denial: DenialRenderer | undefined;
}

/**
 * Checks a response whose header section is rendered and of which no byte has left. Without a header section, the connection
 * has closed before, and only labels that the review adds have an effect. Must neither throw nor reject.
 */
export type ResponseReview = (head: RenderedHead | undefined) => MaybePromise<Refusal | undefined>;

const NO_REVIEWS: readonly ResponseReview[] = Object.freeze([]);

/** The reviews of one response. Each runs once. */
export class ResponseReviews {
  #due = NO_REVIEWS;
  #isRunning = false;

  get isDue(): boolean {
    return this.#due.length > 0;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  add(review: ResponseReview): void {
    this.#due = this.#due.concat(review);
  }

  /** Runs all reviews in order. Calls back with the first refusal, during this call if no review has to wait. */
  run(head: RenderedHead | undefined, onEnd: (refusal: Refusal | undefined) => void): void {
    const due = this.#due;
    this.#due = NO_REVIEWS;
    this.#isRunning = true;
    const first = due.reduce<MaybePromise<Refusal | undefined>>(
      // a later review may still add labels
      (earlier, review) => whenSettled(earlier, (refusal) => whenSettled(review(head), (own) => refusal ?? own)),
      undefined,
    );
    whenSettled(first, (refusal) => {
      this.#isRunning = false;
      onEnd(refusal);
    });
  }
}
