import { strict as assert } from 'node:assert';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { all, only } from '../../support/documents.js';

/** What the first screen of the README tells a new user to save, to send and to expect. */
export interface ReadmeProgram {
  readonly esm: string;
  readonly commonjs: string;
  /** The program as a module for tests: it exports `app`, and does not listen. */
  readonly testable: string;
  readonly test: string;
  readonly calls: ReadonlyArray<{ readonly command: string; readonly prints: string }>;
}

const PORT = 3000;
const JS = /^```js\n(.*?)^```$/gms;

export function readmeProgram(readme: string): ReadmeProgram {
  const [esm = '', requires = ''] = all(JS, readme).map(([, code]) => code ?? '');
  const session = only(/^```console\n(.*?)^```$/ms, readme);
  const calls = all(/^\$ (curl .*)\n((?:(?!\$ ).*\n)*)/gm, session).map(([, command = '', prints = '']) => ({
    command,
    prints,
  }));
  assert.match(requires, /^(const .* = require\('.*'\);\n)+$/, 'the second program of the README replaces the imports');
  const commonjs = esm.replace(/^(import .*\n)+/, requires);
  const testable = esm.replace(/^const app = /m, 'export const app = ').replace(/^app\.listen\(.*\n/m, '');
  const [, test = ''] = all(JS, only(/^## Test it\n(.*?)^## /ms, readme))[0] ?? [];
  return { esm, commonjs, testable, test, calls };
}

/** How a program is run. */
export interface Run {
  /** Arguments of Node before the file. */
  readonly nodeArguments?: readonly string[];
  /** Compiles the saved file, and returns the file to run. */
  readonly compile?: () => string;
}

/** Saves the program in the folder, runs it, and compares what each call prints with the README. */
export async function checkProgram(
  folder: string,
  file: string,
  program: string,
  calls: ReadmeProgram['calls'],
  { nodeArguments = [], compile = () => file }: Run = {},
): Promise<void> {
  const port = await freePort();
  const onPort = (text: string) => text.replaceAll(String(PORT), String(port));
  assert.notEqual(onPort(program), program, `the program listens on ${PORT}`);
  writeFileSync(join(folder, file), onPort(program));
  const child = spawn(process.execPath, [...nodeArguments, compile()], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  try {
    await listening(port, () => child.exitCode);
    for (const { command, prints } of calls) {
      const printed = execFileSync('sh', ['-c', onPort(command.replace('curl', 'curl --silent --show-error'))], {
        encoding: 'utf8',
      });
      assert.equal(withoutIds(printed), withoutIds(prints), `${file}: ${command}`);
    }
  } finally {
    if (child.exitCode === null) {
      child.kill();
      await once(child, 'exit');
    }
  }
}

/** Each denial has an id of its own. */
function withoutIds(text: string): string {
  return text.replace(/urn:uuid:[0-9a-f-]{36}/g, 'urn:uuid:ID');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert(typeof address === 'object' && address);
  return address.port;
}

/** Waits until the program accepts connections, for at most 20 seconds. */
async function listening(port: number, exitCode: () => number | null): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    assert.equal(exitCode(), null, 'the program has ended');
    const socket = connect(port, 'localhost');
    const connected = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (connected) return;
    await setTimeout(50);
  }
  throw new Error('the program does not listen');
}
