import type { Terminal } from '../terminal/terminal.js';

/** What a command gets. */
export interface CliContext {
  readonly terminal: Terminal;
  /** Sets the exit code of the process; 0 without a call. */
  setExitCode(code: number): void;
  /**
   * Returns a signal that Ctrl-C and SIGTERM abort. Only for a command that has something to tidy up: after this call it
   * must end by itself.
   */
  interruption(): AbortSignal;
}

/** Prints a result as JSON. */
export function printJson({ terminal }: CliContext, value: unknown): void {
  terminal.out.write(`${JSON.stringify(value, null, 2)}\n`);
}
