import type { NodeResponse } from '../node/server-response.js';

/** What becomes of a response that was held. */
export type Verdict = 'release' | 'refuse';

/** Waits for what becomes of a response. */
export interface VerdictListener {
  /** The response's status, `undefined` before there is a head. Asked again until the verdict, as interim responses are held too. */
  readonly status: number | undefined;

  /** Must not throw. */
  onVerdict(verdict: Verdict): void;
}

/** Decides when a response is held and what becomes of it. The gate knows nothing else about the reasons. */
export interface GateKeeper {
  /** Whether no byte may leave at the moment. Asked for every piece of output, so it must be cheap. */
  mustHold(): boolean;

  /**
   * Called when a hold begins, and again while `mustHold` is still true after it. Tells the listener, later in any case, when
   * the bytes may leave, or the response is to be refused.
   */
  settle(listener: VerdictListener): void;

  /**
   * Makes the refusal.
   * @param create makes responses that are connected to nothing
   * @param done takes the one that is to be sent, which must have ended
   */
  answerRefusal(create: () => NodeResponse, done: (refusal: NodeResponse) => void): void;
}
