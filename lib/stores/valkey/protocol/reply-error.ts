import { ErrorReply, type Reply } from './resp-parser.js';

/** The server answered a call with an error. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';

  /** The error replies; for a discarded transaction the errors of its commands, because EXEC does not tell the reason. */
  readonly replies: readonly string[];

  constructor(reply: string, repliesToCommands: readonly string[] = []) {
    super(reply);
    this.replies = repliesToCommands.length > 0 ? repliesToCommands : [reply];
  }
}

/** The error of a read that a replica answered. It has the text with which a replica refuses writes. */
export function demotionError(): ReplyError {
  return new ReplyError('READONLY The server has become a replica.');
}

/** Whether the server said with this error that it is a replica. `UNBLOCKED` ends a `WAIT` when it becomes one. */
export function isDemotion(error: unknown): boolean {
  return repliesIn(error).some((reply) => /^(READONLY|REDIRECT|UNBLOCKED)\b/.test(reply));
}

/** Where a server of a cluster sends a call; `later` means that the cluster is not ready for the call. */
export type Redirect = { readonly kind: 'moved' | 'ask'; readonly address: string } | { readonly kind: 'later' };

/** The redirect in an error reply. */
export function redirectIn(error: unknown): Redirect | undefined {
  for (const reply of repliesIn(error)) {
    const [, word, address] = /^(MOVED|ASK) \d+ (\S+)/.exec(reply) ?? [];
    if (word && address) return { kind: word === 'ASK' ? 'ask' : 'moved', address };
    if (/^(CLUSTERDOWN|TRYAGAIN)\b/.test(reply)) return { kind: 'later' };
  }
  return undefined;
}

/** Returns the reply, or throws it if it is an error. */
export function resultOf(reply: Reply | undefined): unknown {
  if (reply instanceof ErrorReply) throw new ReplyError(reply.text);
  return reply;
}

function repliesIn(error: unknown): readonly string[] {
  return error instanceof ReplyError ? error.replies : [];
}
