import type { Terminal } from '../terminal/terminal.js';

/** What a command gets. */
export interface CliContext {
  readonly terminal: Terminal;
  /** Sets the exit code of the process; 0 without a call. */
  setExitCode(code: number): void;
  /** Is aborted by Ctrl-C or SIGTERM. A command that has something to tidy up listens to it. */
  readonly signal: AbortSignal;
}

/** Prints a result as JSON. */
export function printJson({ terminal }: CliContext, value: unknown): void {
  terminal.out.write(`${JSON.stringify(value, null, 2)}\n`);
}
