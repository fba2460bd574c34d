import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { Interrupted, type Terminal, UsageError } from './terminal.js';

/**
 * Asks for a password. The terminal is in raw mode meanwhile, so it does not echo, and what readline would show is
 * dropped.
 * @throws UsageError if the input is not a terminal, Interrupted after Ctrl-C or Ctrl-D
 */
export async function askPassword({ input, err }: Terminal, question: string, instead: string): Promise<string> {
  if (!input.isTTY) throw new UsageError(`A password prompt needs a terminal. Set ${instead} instead.`);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  // not before raw mode: the user may type at once
  err.write(`${question}: `);
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('SIGINT', () => reject(new Interrupted()));
      lines.once('close', () => reject(new Interrupted()));
      lines.once('line', resolve);
    });
  } finally {
    lines.close();
    err.write('\n');
  }
}
