import { randomBytes } from 'node:crypto';
import { resultOf } from '../protocol/reply-error.js';
import { ErrorReply, type Reply } from '../protocol/resp-parser.js';
import { roleIn, type ValkeyRole } from '../protocol/role-check.js';
import { requestOf } from '../protocol/valkey-request.js';
import type { ValkeyWire } from '../protocol/valkey-wire.js';

/** The user, the password and the database number. */
export interface ValkeyLogin {
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
}

/** The facts about the server that the greeting found. */
export interface Greeting {
  readonly role: ValkeyRole;

  /** Whether the server will refuse reads on this connection if it becomes a replica. */
  readonly refusesReadsOnceDemoted: boolean;
}

/** The name of the connection in `CLIENT LIST`. */
const NAME = 'express-apl-session';
const NO_HELLO = /^(ERR unknown command|NOPROTO\b)/i;

/**
 * Logs in, selects the database and reads the role of the server, in one round trip. `HELLO` returns the role and needs
 * no permission. A server that becomes a replica keeps its connections and answers reads; `CLIENT CAPA redirect`
 * (Valkey 8) makes it refuse them with `-REDIRECT`.
 *
 * The probe of the connection is `ECHO`. If the user has no permission for `ECHO`, the probe is an unknown command,
 * because Valkey looks up a command before it checks permissions. Do not use `PING`: Valkey refuses it while it loads
 * data or while its disk is full.
 */
export async function greet(wire: ValkeyWire, login: ValkeyLogin): Promise<Greeting> {
  const hello = await introduce(wire, login, helloWords(login));
  const isUnknown = hello.first instanceof ErrorReply && NO_HELLO.test(hello.first.text);
  // a proxy may not know HELLO
  const answers = isUnknown ? await introduce(wire, login, authWords(login)) : hello;
  for (const reply of [answers.first, answers.select]) resultOf(reply);
  return {
    role: isUnknown ? 'unknown' : roleIn(answers.first),
    refusesReadsOnceDemoted: !(answers.capability instanceof ErrorReply),
  };
}

interface Answers {
  readonly first: Reply | undefined;
  readonly select: Reply | undefined;
  readonly capability: Reply | undefined;
}

/** Sends the login first, because the server refuses other commands before it. */
async function introduce(wire: ValkeyWire, { db }: ValkeyLogin, first: readonly string[]): Promise<Answers> {
  const nonce = randomBytes(8).toString('hex');
  const select = db === undefined || db === 0 ? [] : [['select', String(db)]];
  const commands = [...(first.length > 0 ? [first] : []), ...select, ['client', 'capa', 'redirect'], ['echo', nonce]];
  const { text } = requestOf(...commands);
  // only the reply to ECHO is a string: if a reply before it is missing, the connection ends at once
  const types = commands.map((_, at) => (reply: Reply) => at === commands.length - 1 || typeof reply !== 'string');
  const answered = wire.askUnproven({ text, replies: types });
  // a second ECHO, not awaited: if the reply to the first one is missing, this reply takes its place and does not fit
  const last = randomBytes(8).toString('hex');
  const { text: lastText } = requestOf(['echo', last]);
  wire.askUnproven({ text: lastText, replies: [(reply) => reply === last] }).catch(() => {});
  const replies = [...(await answered)];
  const echo = replies.pop();
  const answers = {
    capability: replies.pop(),
    select: select.length > 0 ? replies.pop() : undefined,
    first: replies.pop(),
  };
  if (echo instanceof ErrorReply) {
    // after a failed login, the error of ECHO is not about permissions
    if (!(answers.first instanceof ErrorReply)) await wire.probeByUnknownCommand();
  } else if (echo !== nonce) {
    throw new Error('The replies of the server did not fit the commands.');
  }
  return answers;
}

function helloWords({ username = 'default', password }: ValkeyLogin): string[] {
  const auth = password === undefined ? [] : ['auth', username, password];
  return ['hello', '2', ...auth, 'setname', NAME];
}

function authWords({ username, password }: ValkeyLogin): string[] {
  if (password === undefined) return [];
  return username === undefined ? ['auth', password] : ['auth', username, password];
}
