/**
 * The member of a stored set that marks its session as enrolled. CPEX takes it for a label without a meaning; this package
 * never shows it as one.
 */
export const ENROLLED = 'express-apl-session:enrolled';

/** Separates the mark from the labels that a store has returned. */
export function readEnrolment(stored: readonly string[]): {
  readonly labels: readonly string[];
  readonly isEnrolled: boolean;
} {
  if (!stored.includes(ENROLLED)) return { labels: stored, isEnrolled: false };
  return { labels: stored.filter((label) => label !== ENROLLED), isEnrolled: true };
}
