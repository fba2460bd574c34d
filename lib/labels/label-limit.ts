import { AplSessionError } from '../contract/errors.js';

/** The default of `maxLabelsPerSession`. */
export const DEFAULT_MAX_LABELS_PER_SESSION = 1_000;

/**
 * Throws if a session has, or would have, too many labels. A very large set delays the loads of all sessions.
 * @throws AplSessionError `store.too_many_labels`
 */
export function assertLabelCount(count: number, maxLabelsPerSession: number): void {
  if (count <= maxLabelsPerSession) return;
  throw new AplSessionError(
    'store.too_many_labels',
    `A session may have ${maxLabelsPerSession} labels (maxLabelsPerSession), and this one would have about ${count}. Use labels for kinds of data, not for single records, or raise the limit.`,
  );
}
