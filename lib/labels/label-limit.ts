import { AplSessionError } from '../contract/errors.js';

/** How many labels a session may have where nothing else is said. */
export const DEFAULT_MAX_LABELS_PER_SESSION = 1_000;

/**
 * Throws if a session has, or would have, more labels than it may. A set without bounds slows every load of its session, and
 * at some size the loads of all others.
 * @throws AplSessionError `store.too_many_labels`
 */
export function assertLabelCount(count: number, maxLabelsPerSession: number): void {
  if (count <= maxLabelsPerSession) return;
  throw new AplSessionError(
    'store.too_many_labels',
    `A session may have ${maxLabelsPerSession} labels (maxLabelsPerSession), and this is about ${count}. See that labels are names of kinds, not of single things, or raise the limit.`,
  );
}
