import type { LabelExplanation, SessionExplanation } from '../contract/provenance.js';
import { readEnrolment } from '../labels/enrolment.js';
import type { LabelRecord } from './label-record.js';

const NO_RECORD =
  'There is no record of this label. It was added by other software, or without provenance, or its record was lost.';

/** Puts the stored labels and their records together. A record of a label that the session does not have is ignored. */
export function explainLabels(
  stored: readonly string[],
  records: ReadonlyMap<string, LabelRecord | undefined>,
): SessionExplanation {
  const { labels, isEnrolled } = readEnrolment(stored);
  const timeOf = (label: string): number => records.get(label)?.atMs ?? Number.POSITIVE_INFINITY;
  const order = (a: string, b: string): number => (timeOf(a) === timeOf(b) ? compare(a, b) : timeOf(a) - timeOf(b));
  const explained = labels.toSorted(order).map((label) => explanationOf(label, records.get(label)));
  return Object.freeze({ enrolled: isEnrolled, labels: Object.freeze(explained) });
}

function explanationOf(label: string, record: LabelRecord | undefined): LabelExplanation {
  if (!record) return Object.freeze({ label, note: NO_RECORD });
  const { atMs, ...texts } = record;
  return Object.freeze({ label, firstAddedAt: new Date(atMs).toISOString(), ...texts });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
