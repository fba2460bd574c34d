import { type Reply, StatusReply } from './resp-parser.js';

/** Commands that are sent together, with the types of their replies. Each reply may also be an error. */
export interface ValkeyRequest {
  /** The commands in RESP. */
  readonly text: string;
  readonly replies: ReadonlyArray<(reply: Reply) => boolean>;
}

/** A command in RESP: an array of bulk strings. */
export function commandText(...words: readonly string[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) text += bulkText(word);
  return text;
}

export function bulkText(word: string): string {
  return `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
}

const isAny = (): boolean => true;

export function isCount(reply: Reply): boolean {
  return typeof reply === 'number' && reply >= 0;
}

export function isOk(reply: Reply): boolean {
  return reply instanceof StatusReply && reply.text === 'OK';
}

/** Commands whose replies the caller checks. */
export function requestOf(...commands: ReadonlyArray<readonly string[]>): ValkeyRequest {
  return { text: commands.map((words) => commandText(...words)).join(''), replies: commands.map(() => isAny) };
}
