import { AplSessionError, type AplSessionErrorCode } from '../../../contract/errors.js';
import { ErrorReply, type Reply, StatusReply } from './resp-parser.js';

const DEMOTED = /^(READONLY|REDIRECT)\b/;
const PASSING = /^(READONLY|REDIRECT|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/;

/** Whether the server said with this error that it is a replica. */
export function isDemotion(error: unknown): boolean {
  return repliesIn(error).some((text) => DEMOTED.test(text));
}

/**
 * Whether the same call may well succeed a moment later: its connection was lost, or the server said that it cannot
 * serve at present. Missed deadlines are not: they have used up the time.
 */
export function isPassing(error: unknown): boolean {
  if (error instanceof AplSessionError) return false;
  const replies = repliesIn(error);
  return replies.length === 0 || replies.some((text) => PASSING.test(text));
}

/** Where a server of a cluster sends a call; `later` means that the cluster is not ready for it. */
export type Redirect = { readonly kind: 'moved' | 'ask'; readonly address: string } | { readonly kind: 'later' };

/** The redirect that a call was refused with, if it was. */
export function redirectIn(error: unknown): Redirect | undefined {
  for (const text of repliesIn(error)) {
    const [, word, address] = /^(MOVED|ASK) \d+ (\S+)/.exec(text) ?? [];
    if (word && address) return { kind: word === 'ASK' ? 'ask' : 'moved', address };
    if (/^(CLUSTERDOWN|TRYAGAIN)\b/.test(text)) return { kind: 'later' };
  }
  return undefined;
}

/** What the server answered; for a transaction it discarded, what it said of each command. Empty if it did not answer. */
function repliesIn(error: unknown): string[] {
  const { name, message, previousErrors = [] } = error as Error & { previousErrors?: readonly Error[] };
  return name === 'ReplyError' ? [message, ...previousErrors.map((previous) => previous.message)] : [];
}

/**
 * The error that the server answered with.
 * @param previous what it had said of the commands of a transaction that it then discarded
 */
export function replyError(text: string, previous: readonly string[] = []): Error {
  const previousErrors = previous.map((message) => new Error(message));
  return Object.assign(new Error(text), { name: 'ReplyError', ...(previous.length > 0 && { previousErrors }) });
}

/** The reply at this place; throws if it is an error. */
export function resultOf(reply: Reply | undefined): unknown {
  if (reply instanceof ErrorReply) throw replyError(reply.text);
  return reply;
}

/** The two counts of a transaction of two commands; throws what was wrong with it. */
export function countsIn(replies: readonly Reply[]): readonly Reply[] {
  const executed = replies.at(-1);
  const said = replies.slice(0, -1).flatMap((reply) => (reply instanceof ErrorReply ? [reply.text] : []));
  if (executed instanceof ErrorReply) throw replyError(executed.text, said);
  // a command that was refused, or executed on its own, is not part of a transaction
  const isWhole = replies.slice(0, -1).every((reply) => reply instanceof StatusReply);
  if (!isWhole || !Array.isArray(executed)) throw replyError(said[0] ?? 'ERR The transaction was discarded.');
  for (const reply of executed) resultOf(reply);
  return executed;
}

/** The error of a read that was answered by a server which is a replica by now, in the server's own words for writes. */
export function demotionError(): Error {
  return replyError('READONLY The server has become a replica.');
}

/**
 * Makes a store error of what a call failed with. Valkey repeats arguments in some messages and the user's name in
 * others; keys, labels and logins must not travel with either.
 */
export function toStoreError(operation: string, error: unknown): AplSessionError {
  if (error instanceof AplSessionError) return error;
  const replies = repliesIn(error);
  if (replies.length === 0) {
    return new AplSessionError('store.unavailable', `Valkey ${operation} failed: ${faultText(error)}`);
  }
  // the text of a discarded transaction says nothing, that of its commands does
  const said = new Set(replies.length > 1 ? replies.slice(1) : replies);
  const texts = [...said].map(withoutArguments);
  const code = REFUSALS[texts[0]?.split(' ', 1)[0] ?? ''] ?? 'store.command_failed';
  return new AplSessionError(code, `Valkey ${operation} failed: ${texts.join(' ')}`);
}

/** What the first word of an error reply says, where somebody has to mend something else than the data. */
const REFUSALS: Readonly<Record<string, AplSessionErrorCode>> = {
  NOPERM: 'store.not_permitted',
  NOAUTH: 'store.login_failed',
  WRONGPASS: 'store.login_failed',
};

/** What happened to a connection, in words that are fit for an alarm. */
export function faultText(error: unknown): string {
  return withoutArguments((error as Error).message);
}

function withoutArguments(message: string): string {
  return (
    message
      .replace(/,? with args beginning with:.*/s, '')
      .replace(/\bUser .+? has/s, 'The user has')
      // a transaction may be refused as a whole, and then says why behind a colon
      .replace(/^EXECABORT Transaction discarded because of: /, '')
      .replace(/^REDIRECT \S+/, 'REDIRECT The server has become a replica.')
  );
}
