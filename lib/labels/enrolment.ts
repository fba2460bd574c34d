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
  const at = stored.indexOf(ENROLLED);
  return at < 0 ? { labels: stored, isEnrolled: false } : { labels: stored.toSpliced(at, 1), isEnrolled: true };
}
