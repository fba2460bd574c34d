import type { NodeResponse } from '../node/node-response.js';

/** What happens to a held response. */
export type Verdict = 'release' | 'refuse';

/** Decides when a gate holds its response, and what happens to it then. The gate knows no other reasons. No method may throw. */
export interface GateKeeper {
  /** Whether no byte may leave now. Called for each piece of output. */
  mustHold(): boolean;

  /**
   * Called when a hold begins, and again after a verdict while `mustHold` is still true. Calls back later, never during this call.
   */
  settle(onVerdict: (verdict: Verdict) => void): void;

  /**
   * Renders the denial.
   * @param create creates a response without a connection
   * @param done takes the rendered response, which must have ended; called once, during this call or later
   */
  renderDenial(create: () => NodeResponse, done: (denial: NodeResponse) => void): void;
}
