/**
 * - `open`: output leaves as without a gate.
 * - `closed`: no byte may leave, and nothing was sent yet.
 * - `holding`: output is held until the keeper's verdict.
 * - `refusing`: the denial is being rendered, and will replace the held output.
 * - `cut`: the connection was ended, because bytes had left that no denial can replace.
 */
export type GateState = 'open' | 'closed' | 'holding' | 'refusing' | 'cut';

const TRANSITIONS: Readonly<Record<GateState, readonly GateState[]>> = {
  open: ['closed', 'cut'],
  closed: ['holding', 'refusing', 'open', 'cut'],
  holding: ['refusing', 'open', 'cut'],
  // the rendered denial is held like any other output
  refusing: ['holding', 'cut'],
  cut: [],
};

/** @throws Error for a transition that no call of a gate may make */
export function assertTransition(from: GateState, to: GateState): void {
  if (!TRANSITIONS[from].includes(to)) throw new Error(`A ${from} gate cannot become ${to}.`);
}
