import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url));
const CREDENTIALS = ['VALKEY_USERNAME', 'VALKEY_PASSWORD', 'SENTINEL_USERNAME', 'SENTINEL_PASSWORD'];
/** The program and its arguments, for a shell of a test that needs a terminal. */
export const PROGRAM = [process.execPath, '--import', 'tsx', MAIN];

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Set if a signal has ended the process. */
  readonly signal?: NodeJS.Signals;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Called with the process when it has started. */
  readonly onStart?: (pid: number) => void;
}

/** What a user types when the output contains the prompt. */
export interface Typing {
  readonly prompt: string;
  readonly typed: string;
}

/** Runs the command line as a process, and proves for each run that no password is in its output or its arguments. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const [program = '', ...fixed] = PROGRAM;
  return runProcess(program, [...fixed, ...args], options);
}

export const SCRIPT = '/usr/bin/script';

/** The same with a terminal as its standard input, output and error, which are then one text. */
export async function runCliInTerminal(
  args: readonly string[],
  { env = {} }: Pick<CliOptions, 'env'> = {},
  typing?: Typing,
): Promise<CliRun> {
  const command = [...PROGRAM, ...args].map((word) => `'${word}'`).join(' ');
  return runProcess(SCRIPT, ['-qec', command, '/dev/null'], { env: { TERM: 'xterm', NO_COLOR: '', ...env } }, typing);
}

async function runProcess(
  program: string,
  args: readonly string[],
  { env = {}, onStart }: CliOptions,
  typing?: Typing,
): Promise<CliRun> {
  const inherited = Object.entries(process.env).filter(([name]) => !CREDENTIALS.includes(name));
  const child = spawn(program, args, {
    cwd: PROJECT,
    env: { ...Object.fromEntries(inherited), ...env },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} did not start.`);
  onStart?.(pid);
  const output = { stdout: '', stderr: '' };
  const commandLines = new Set<string>(commandLinesOf(pid));
  let isTyped = false;
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      for (const line of commandLinesOf(pid)) commandLines.add(line);
      if (!typing || isTyped || !output[name].includes(typing.prompt)) return;
      isTyped = true;
      child.stdin.write(typing.typed);
    });
  }
  if (!typing) child.stdin.end();
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  const secrets = Object.entries(env).filter(([name]) => name.endsWith('PASSWORD'));
  for (const [name, secret] of [...secrets, ['what was typed', typing?.typed.trim() ?? ''] as const]) {
    if (secret === '') continue;
    expect(`${output.stdout}${output.stderr}`, `output without ${name}`).to.not.include(secret);
    for (const line of commandLines) expect(line, `arguments without ${name}`).to.not.include(secret);
  }
  return { code, ...output, ...(signal && { signal }) };
}

/** The arguments of a process and of all processes that it has started, as other users of the machine see them. */
function commandLinesOf(pid: number): string[] {
  try {
    const own = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    const tasks = readdirSync(`/proc/${pid}/task`);
    const children = tasks.flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
    );
    return [own, ...children.flatMap((child) => commandLinesOf(Number(child)))];
  } catch {
    // there is no /proc on this system, or the process has ended
    return [];
  }
}

export interface DoctorReport {
  readonly status: string;
  readonly findings: ReadonlyArray<{
    readonly server: string;
    readonly name: string;
    readonly status: string;
    readonly detail: string;
    readonly fix?: string;
    readonly code?: string;
  }>;
}

export function reportIn({ stdout }: CliRun): DoctorReport {
  return JSON.parse(stdout) as DoctorReport;
}

/** The findings that are not ok, as `name status`. */
export function faultsIn(run: CliRun): string[] {
  return reportIn(run)
    .findings.filter(({ status }) => status !== 'ok')
    .map(({ name, status }) => `${name} ${status}`);
}
