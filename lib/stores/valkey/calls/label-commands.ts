import { AplSessionError } from '../../../contract/errors.js';
import { isLabel } from '../../../labels/label.js';
import { assertLabelCount } from '../../../labels/label-limit.js';
import { ReplyError, resultOf } from '../protocol/reply-error.js';
import { ErrorReply, type Reply, StatusReply } from '../protocol/resp-parser.js';
import { bulkText, commandText, isCount, isOk, type ValkeyRequest } from '../protocol/valkey-request.js';
import type { RecordCommands } from '../provenance/record-commands.js';
import { ttlCommand } from './ttl-command.js';

const isSet = (reply: Reply): boolean => Array.isArray(reply) && reply.every((item) => typeof item === 'string');
const isResults =
  (length: number) =>
  (reply: Reply): boolean =>
    Array.isArray(reply) &&
    reply.length === length &&
    reply.every((item) => isCount(item) || item instanceof ErrorReply);
/** A user without the permission for MULTI gets counts, because the commands are then executed immediately. */
const isQueued = (reply: Reply): boolean => (reply instanceof StatusReply && reply.text === 'QUEUED') || isCount(reply);

const LOADED = [isSet];
const APPENDED = [isCount];
const TRANSACTION = transactionOf(2);

function transactionOf(commands: number): ValkeyRequest['replies'] {
  return [isOk, ...new Array<typeof isQueued>(commands).fill(isQueued), isResults(commands)];
}

export function loadCommand(key: string): ValkeyRequest {
  return { text: `*2\r\n$8\r\nsmembers\r\n${bulkText(key)}`, replies: LOADED };
}

/**
 * Reads the reply to `loadCommand`.
 * @throws AplSessionError `store.malformed_reply`, `store.too_many_labels`; or the error reply
 */
export function labelsIn([reply]: readonly Reply[], maxLabels: number): string[] {
  const members = resultOf(reply);
  if (!Array.isArray(members)) throw malformed('something else than an array');
  assertLabelCount(members.length, maxLabels);
  for (const member of members) {
    if (isLabel(member)) continue;
    // the parser writes U+FFFD for bytes that are not UTF-8
    const isText = typeof member === 'string' && !member.includes('\ufffd');
    throw malformed(
      isText
        ? 'a member that is not a label: it is empty, too long or has a control character'
        : 'a member that is not UTF-8',
    );
  }
  return members;
}

/**
 * Adds labels. With a TTL or with records, all commands are one transaction.
 * @param records the commands that keep the origins of the labels
 */
export function appendCommand(
  key: string,
  labels: readonly string[],
  ttlSeconds?: number,
  records?: RecordCommands,
): ValkeyRequest {
  const add = commandText('sadd', key, ...labels);
  if (ttlSeconds === undefined && !records) return { text: add, replies: APPENDED };
  const ttl = ttlSeconds === undefined ? '' : ttlCommand(key, ttlSeconds).text;
  return {
    text: `${commandText('multi')}${add}${ttl}${records?.text ?? ''}${commandText('exec')}`,
    replies: records ? transactionOf((ttlSeconds === undefined ? 1 : 2) + records.count) : TRANSACTION,
  };
}

/**
 * Throws the error reply unless the commands of `appendCommand` were executed, in one transaction if there are several. An error
 * of a record inside the transaction is ignored: the labels are stored without it.
 */
export function assertAppended(replies: readonly Reply[], records?: RecordCommands): void {
  const executed = replies.at(-1);
  const queued = replies.slice(0, -1);
  const errors = queued.flatMap((reply) => (reply instanceof ErrorReply ? [reply.text] : []));
  if (executed instanceof ErrorReply) throw new ReplyError(executed.text, errors);
  if (queued.length === 0) return;
  const isWhole = queued.every((reply) => reply instanceof StatusReply);
  if (!isWhole || !Array.isArray(executed)) throw new ReplyError(errors[0] ?? 'ERR The transaction was discarded.');
  for (const reply of executed.slice(0, executed.length - (records?.count ?? 0))) resultOf(reply);
}

function malformed(found: string): AplSessionError {
  return new AplSessionError('store.malformed_reply', `Valkey answered SMEMBERS with ${found}.`);
}
