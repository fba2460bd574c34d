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
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Called with the process as soon as the output contains the text. */
  readonly when?: { readonly output: string; readonly act: (pid: number) => void };
}

/** Runs the command line as a process, and proves for each run that no credential is in its output or its arguments. */
export async function runCli(args: readonly string[], { env = {}, when }: CliOptions = {}): Promise<CliRun> {
  const [program = '', ...fixed] = PROGRAM;
  return runProcess(program, [...fixed, ...args], env, when);
}

const SCRIPT = '/usr/bin/script';

/**
 * The same with a terminal as its standard input, output and error, which are then one text. `typed` is what the user
 * types when the output contains `prompt`.
 */
export async function runCliInTerminal(
  args: readonly string[],
  { env = {}, when }: CliOptions & { readonly when?: CliOptions['when'] } = {},
  typing?: { readonly prompt: string; readonly typed: string },
): Promise<CliRun> {
  const command = [...PROGRAM, ...args].map((word) => `'${word}'`).join(' ');
  return runProcess(SCRIPT, ['-qec', command, '/dev/null'], { TERM: 'xterm', NO_COLOR: '', ...env }, when, typing);
}

async function runProcess(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  when?: CliOptions['when'],
  typing?: { readonly prompt: string; readonly typed: string },
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
  const output = { stdout: '', stderr: '' };
  const commandLines = new Set<string>();
  let isTyped = false;
  let isActed = false;
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      for (const line of commandLinesOf(pid)) commandLines.add(line);
      const all = output.stdout + output.stderr;
      if (typing && !isTyped && all.includes(typing.prompt)) {
        isTyped = true;
        child.stdin.write(typing.typed);
      }
      if (when && !isActed && all.includes(when.output)) {
        isActed = true;
        when.act(pid);
      }
    });
  }
  for (const line of commandLinesOf(pid)) commandLines.add(line);
  if (!typing) child.stdin.end();
  const [code] = (await once(child, 'close')) as [number | null];
  const secrets = Object.entries(env).filter(([name]) => /USERNAME|PASSWORD/.test(name));
  for (const [name, secret] of [...secrets, ['typed', typing?.typed.trim() ?? ''] as const]) {
    if (secret === '') continue;
    expect(`${output.stdout}${output.stderr}`, `output without ${name}`).to.not.include(secret);
    for (const line of commandLines) expect(line, `arguments without ${name}`).to.not.include(secret);
  }
  return { code, ...output };
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
