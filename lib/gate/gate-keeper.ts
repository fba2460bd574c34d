import type { NodeResponse } from '../node/node-response.js';

/** What happens to a held response. */
export type Verdict = 'release' | 'refuse';

/** A held response, or the held end of its connection. */
export interface VerdictListener {
  onVerdict(verdict: Verdict): void;
}

/** Decides when a gate holds its response, and what happens to it then. The gate knows no other reasons. No method may throw. */
export interface GateKeeper {
  /** Whether no byte may leave now. Called for each piece of output. */
  mustHold(): boolean;

  /**
   * Called when a hold begins, and again after a verdict while `mustHold` is still true. Notifies the listener later, never during
   * this call.
   */
  settle(held: VerdictListener): void;

  /**
   * Renders the denial.
   * @param create creates a response without a connection
   * @param done takes the rendered response, which must have ended; called once, during this call or later
   */
  renderDenial(create: () => NodeResponse, done: (denial: NodeResponse) => void): void;
}
