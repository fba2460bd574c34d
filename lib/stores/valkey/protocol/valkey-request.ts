import { ErrorReply, type Reply, StatusReply } from './resp-parser.js';

/** Commands that leave together, and of what type their replies are. An error may come in the place of each. */
export interface ValkeyRequest {
  /** As they are sent. */
  readonly text: string;
  readonly replies: ReadonlyArray<(reply: Reply) => boolean>;
}

/** A command as it is sent: an array of bulk strings. */
export function commandText(...words: readonly string[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) text += bulkText(word);
  return text;
}

export function bulkText(word: string): string {
  return `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
}

const isAny = (): boolean => true;
const isSet = (reply: Reply): boolean => Array.isArray(reply) && reply.every((item) => typeof item === 'string');
const isCount = (reply: Reply): boolean => typeof reply === 'number' && reply >= 0;
const isPair = (reply: Reply): boolean =>
  Array.isArray(reply) && reply.length === 2 && reply.every((item) => isCount(item) || item instanceof ErrorReply);
const isOk = (reply: Reply): boolean => reply instanceof StatusReply && reply.text === 'OK';
/** Without the right to MULTI the command behind it is executed at once. */
const isQueued = (reply: Reply): boolean => (reply instanceof StatusReply && reply.text === 'QUEUED') || isCount(reply);

const ONE_SET = [isSet];
const ONE_COUNT = [isCount];
const TRANSACTION = [isOk, isQueued, isQueued, isPair];

export function loadRequest(key: string): ValkeyRequest {
  return { text: `*2\r\n$8\r\nsmembers\r\n${bulkText(key)}`, replies: ONE_SET };
}

export function expireRequest(key: string, ttlSeconds: number): ValkeyRequest {
  return { text: `*3\r\n$6\r\nexpire\r\n${bulkText(key)}${bulkText(`${ttlSeconds}`)}`, replies: ONE_COUNT };
}

export function appendRequest(key: string, labels: readonly string[], ttlSeconds?: number): ValkeyRequest {
  const add = commandText('sadd', key, ...labels);
  if (ttlSeconds === undefined) return { text: add, replies: ONE_COUNT };
  const expire = expireRequest(key, ttlSeconds).text;
  return { text: `${commandText('multi')}${add}${expire}${commandText('exec')}`, replies: TRANSACTION };
}

/** Commands whose replies the caller judges. */
export function requestOf(...commands: ReadonlyArray<readonly string[]>): ValkeyRequest {
  return { text: commands.map((words) => commandText(...words)).join(''), replies: commands.map(() => isAny) };
}
