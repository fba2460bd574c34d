import { randomBytes } from 'node:crypto';
import { resultOf } from '../protocol/reply-error.js';
import { ErrorReply, type Reply } from '../protocol/resp-parser.js';
import { roleIn, type ValkeyRole } from '../protocol/role-check.js';
import { requestOf } from '../protocol/valkey-request.js';
import type { ValkeyWire } from '../protocol/valkey-wire.js';

/** As whom to log in, and which database to use. */
export interface ValkeyLogin {
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
}

/** What a new connection finds out about its server. */
export interface Greeting {
  readonly role: ValkeyRole;

  /** Whether the server promised to refuse reads on this connection should it become a replica. */
  readonly refusesReadsOnceDemoted: boolean;
}

/** The name of the connection in `CLIENT LIST`. */
const NAME = 'express-apl-session';
const NO_HELLO = /^(ERR unknown command|NOPROTO\b)/i;

/**
 * Logs in, selects the database and finds out what the server is, in one round trip. `HELLO` tells the role and needs no
 * right. A server that is made a replica keeps its connections and goes on answering reads; `CLIENT CAPA redirect`
 * (Valkey 8) makes it refuse them with `-REDIRECT`.
 *
 * `ECHO` is the probe of this connection unless the user may not call it; then an unknown command is one, as Valkey looks
 * a command up before it looks at rights. `PING` is none: it is refused while the server is loading or its disk is full.
 */
export async function greet(wire: ValkeyWire, login: ValkeyLogin): Promise<Greeting> {
  const hello = await introduce(wire, login, helloWords(login));
  const isUnknown = hello.first instanceof ErrorReply && NO_HELLO.test(hello.first.text);
  // a proxy between us and the server may not know the command
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

/** The login comes first, as nothing else is answered before it. */
async function introduce(wire: ValkeyWire, { db }: ValkeyLogin, first: readonly string[]): Promise<Answers> {
  const nonce = randomBytes(8).toString('hex');
  const select = db === undefined || db === 0 ? [] : [['select', String(db)]];
  const commands = [...(first.length > 0 ? [first] : []), ...select, ['client', 'capa', 'redirect'], ['echo', nonce]];
  const { text } = requestOf(...commands);
  // only the echo is a string, so that one reply too few is not waited for
  const types = commands.map((_, at) => (reply: Reply) => at === commands.length - 1 || typeof reply !== 'string');
  const replies = [...(await wire.askUnproven({ text, replies: types }))];
  const echo = replies.pop();
  const answers = {
    capability: replies.pop(),
    select: select.length > 0 ? replies.pop() : undefined,
    first: replies.pop(),
  };
  if (echo instanceof ErrorReply) {
    // without the login it says nothing about rights
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
