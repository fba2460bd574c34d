import type { ReadStream, WriteStream } from 'node:tty';

/** What a command reads from and writes to: the streams and the environment of the process. */
export interface Terminal {
  /** The result: a table, or JSON. */
  readonly out: WriteStream;
  /** Everything else: errors, prompts, progress. */
  readonly err: WriteStream;
  readonly input: ReadStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The exit codes of all commands. */
export const EXIT = Object.freeze({ ok: 0, warning: 1, failure: 2, usage: 3, interrupted: 130 });

/** The call of a command was wrong. The message says how to call it, and repeats no argument that may be a credential. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The user pressed Ctrl-C at a prompt. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}
