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
  return recordOf(atMs, route, by, node, requestId);
}

function recordOf(
  atMs: unknown,
  ...texts: readonly [route: unknown, by: unknown, node: unknown, requestId: unknown]
): LabelRecord | undefined {
  if (typeof atMs !== 'number' || !(Math.abs(atMs) <= MAX_TIME_MS)) return undefined;
  const [route, by, node, requestId] = texts.map(boundedText);
  const record: { -readonly [Name in keyof LabelRecord]: LabelRecord[Name] } = { atMs: Math.trunc(atMs) };
  if (route !== undefined) record.route = route;
  if (by !== undefined) record.by = by;
  if (node !== undefined) record.node = node;
  if (requestId !== undefined) record.requestId = requestId;
  return record;
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
    const record = origin && recordOf(origin.atMs, origin.route, origin.by, node, origin.requestId);
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
