import type { LabelOrigin } from '../contract/provenance.js';
import { boundedText } from './bounded-text.js';

/** What a store keeps about a label: its first origin, and the process that stored it. */
export interface LabelRecord extends LabelOrigin {
  readonly node?: string;
}

/** The largest time that a `Date` can hold. */
const MAX_TIME_MS = 8.64e15;

/** Takes the known members of a record, also of one that other software has written. Returns `undefined` if it has no valid time. */
export function toRecord(value: unknown): LabelRecord | undefined {
  const { atMs, route, by, node, requestId } = (value ?? {}) as Record<keyof LabelRecord, unknown>;
  if (typeof atMs !== 'number' || !(Math.abs(atMs) <= MAX_TIME_MS)) return undefined;
  return { atMs: Math.trunc(atMs), ...present({ route, by, node, requestId }) };
}

/** The records of the labels that have an origin. Copies the origins: the caller may change them. */
export function recordsOf(
  labels: Iterable<string>,
  origins: ReadonlyMap<string, LabelOrigin>,
  node: string,
): Map<string, LabelRecord> {
  const records = new Map<string, LabelRecord>();
  for (const label of labels) {
    const origin = origins.get(label);
    const record = origin && toRecord({ ...origin, node });
    if (record) records.set(label, record);
  }
  return records;
}

export function encodeRecord(record: LabelRecord): string {
  return JSON.stringify(record);
}

/** Returns `undefined` for a text that is not a record. */
export function decodeRecord(text: string): LabelRecord | undefined {
  try {
    return toRecord(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function present(texts: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(texts).map(([name, value]) => [name, boundedText(value)] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
