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
  return recordOf({ atMs, route, by, requestId }, boundedText(node));
}

/**
 * The record of a label with this origin, which is copied, because the caller may change it. Returns `undefined` if it has no
 * valid time.
 * @param node a text that an operator may see
 */
export function recordOf(
  { atMs, route, by, requestId }: { readonly [Name in keyof LabelOrigin]?: unknown },
  node: string | undefined,
): LabelRecord | undefined {
  if (typeof atMs !== 'number' || !(Math.abs(atMs) <= MAX_TIME_MS)) return undefined;
  const record: { -readonly [Name in keyof LabelRecord]: LabelRecord[Name] } = { atMs: Math.trunc(atMs) };
  const texts = { route: boundedText(route), by: boundedText(by), requestId: boundedText(requestId) };
  if (texts.route !== undefined) record.route = texts.route;
  if (texts.by !== undefined) record.by = texts.by;
  if (node !== undefined) record.node = node;
  if (texts.requestId !== undefined) record.requestId = texts.requestId;
  return record;
}

/** The records of the labels that have an origin. */
export function recordsOf(
  labels: Iterable<string>,
  origins: ReadonlyMap<string, LabelOrigin>,
  node: string,
): Map<string, LabelRecord> {
  const records = new Map<string, LabelRecord>();
  for (const label of labels) {
    const origin = origins.get(label);
    const record = origin && recordOf(origin, node);
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
