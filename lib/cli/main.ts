#!/usr/bin/env node
import process from 'node:process';
import { runCli } from './program.js';
import type { Terminal } from './terminal/terminal.js';

const { stdout, stderr, stdin, env } = process;
const terminal: Terminal = { out: stdout, err: stderr, input: stdin, env };

// the reader of a pipe may leave before the end
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

runCli(process.argv.slice(2), terminal, interruption).then((code) => {
  process.exitCode = code;
});

/** Without this call the signals end the process at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}
