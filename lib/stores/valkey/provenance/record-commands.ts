import { decodeRecord, encodeRecord, type LabelRecord } from '../../../provenance/label-record.js';
import { ReplyError, redirectIn } from '../protocol/reply-error.js';
import { ErrorReply, type Reply } from '../protocol/resp-parser.js';
import { bulkText, commandText, isCount, type ValkeyRequest } from '../protocol/valkey-request.js';
import { companionKey } from './companion-key.js';

/** Commands for the hash with the records of a session. They are sent with the commands for its labels. */
export interface RecordCommands {
  /** The commands in RESP. */
  readonly text: string;
  readonly count: number;
}

/** Adds a record for each label that has no record, and sets the TTL of the hash. */
export function addRecords(
  key: string,
  records: ReadonlyMap<string, LabelRecord>,
  ttlSeconds: number | undefined,
): RecordCommands {
  const hash = companionKey(key);
  let text = '';
  for (const [label, record] of records) text += commandText('hsetnx', hash, label, encodeRecord(record));
  if (ttlSeconds === undefined) return { text, count: records.size };
  return { text: text + renewRecords(key, ttlSeconds), count: records.size + 1 };
}

/** Sets the TTL of the hash as well. The first reply belongs to `request`, the second one to the hash. */
export function renewedToo({ text, replies }: ValkeyRequest, key: string, ttlSeconds: number): ValkeyRequest {
  return { text: text + renewRecords(key, ttlSeconds), replies: [...replies, isCount] };
}

function renewRecords(key: string, ttlSeconds: number): string {
  return commandText('expire', companionKey(key), `${ttlSeconds}`);
}

/**
 * Whether a node of a cluster refused a transaction because one of its two keys is on another node: their slot is moving, or
 * one key does not exist.
 */
export function isSplit(error: unknown): boolean {
  const redirect = redirectIn(error);
  return redirect !== undefined && redirect.kind !== 'moved';
}

export function readRecords(key: string): string {
  return `*2\r\n$7\r\nhgetall\r\n${bulkText(companionKey(key))}`;
}

/**
 * Reads the reply to `readRecords`. Without the hash the labels have no records, and so have those whose record other software
 * has written.
 * @throws ReplyError if the user has no right to read the hash
 */
export function recordsIn(reply: Reply | undefined): Map<string, LabelRecord> {
  const records = new Map<string, LabelRecord>();
  if (reply instanceof ErrorReply && /^NOPERM\b/.test(reply.text)) throw new ReplyError(reply.text);
  if (!Array.isArray(reply)) return records;
  for (let at = 0; at + 1 < reply.length; at += 2) {
    const [label, text] = [reply[at], reply[at + 1]];
    const record = typeof text === 'string' ? decodeRecord(text) : undefined;
    if (typeof label === 'string' && record) records.set(label, record);
  }
  return records;
}
