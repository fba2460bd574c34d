import { Command, CommanderError } from 'commander';
import { errorText } from '../alarms/redact.js';
import { AplSessionError } from '../contract/errors.js';
import { VERSION } from '../contract/version.js';
import { aplCommand } from './commands/apl.js';
import { capacityCommand } from './commands/capacity.js';
import type { CliContext } from './commands/cli-context.js';
import { doctorCommand } from './commands/doctor.js';
import { explainCommand } from './commands/explain.js';
import { inspectCommand } from './commands/inspect.js';
import { quarantineCommand } from './commands/quarantine.js';
import { paintFor } from './terminal/paint.js';
import { EXIT, Interrupted, type Terminal, UsageError } from './terminal/terminal.js';

/** The commands, in the order of the help. Each has a file in `commands/`. */
const COMMANDS: ReadonlyArray<(context: CliContext) => Command> = [
  doctorCommand,
  inspectCommand,
  explainCommand,
  quarantineCommand,
  capacityCommand,
  aplCommand,
];

/** Runs one call of `express-apl-session`, and resolves with its exit code. */
export async function runCli(
  args: readonly string[],
  terminal: Terminal,
  interruption: CliContext['interruption'],
): Promise<number> {
  let exitCode: number = EXIT.ok;
  const setExitCode = (code: number): void => {
    exitCode = code;
  };
  try {
    refuseCredentials(args);
    await programFor({ terminal, interruption, setExitCode }).parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    return failed(error, terminal);
  }
}

function programFor(context: CliContext): Command {
  const { out, err } = context.terminal;
  const program = new Command('express-apl-session')
    .description('Tools for the Valkey that stores the labels of express-apl-session, and for policy documents.')
    .version(VERSION)
    .addHelpText('after', '\nExit codes: 0 ok, 1 a warning, 2 a failure, 3 a wrong call. See docs/cli.md.');
  for (const command of COMMANDS) program.addCommand(command(context));
  const settle = (command: Command): void => {
    command
      .exitOverride()
      .showSuggestionAfterError()
      .configureOutput({
        writeOut: (text) => void out.write(text),
        writeErr: (text) => void err.write(text),
        // `failed` prints errors, without values
        outputError: () => {},
      });
    for (const child of command.commands) settle(child);
  };
  settle(program);
  return program;
}

const CREDENTIAL = /^--?(user(name)?|pass(word)?|auth|sentinel-?(user(name)?|pass(word)?))(=|$)/i;

/** @throws UsageError before an argument is looked at that may be a password */
function refuseCredentials(args: readonly string[]): void {
  if (!args.some((arg) => CREDENTIAL.test(arg))) return;
  throw new UsageError(
    'Credentials cannot be arguments, because other users of this machine can read them. ' +
      'Set VALKEY_USERNAME and VALKEY_PASSWORD (for Sentinels SENTINEL_USERNAME and SENTINEL_PASSWORD) in the environment, ' +
      'or use --password-prompt. Change the password if you have given a real one.',
  );
}

function failed(error: unknown, { err, env }: Terminal): number {
  const print = (code: number, text: string): number => {
    err.write(`${paintFor(err, env)('bad', 'error:')} ${text}\n`);
    return code;
  };
  if (error instanceof CommanderError) {
    // help and version are printed already; without a command the help is printed, and the call is wrong
    if (/^commander\.(help|version)/.test(error.code)) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return print(EXIT.usage, withoutValues(error.message));
  }
  if (error instanceof Interrupted) return print(EXIT.interrupted, 'interrupted');
  if (error instanceof UsageError) return print(EXIT.usage, error.message);
  if (!(error instanceof AplSessionError)) {
    const secrets = [env['VALKEY_PASSWORD'] ?? '', env['SENTINEL_PASSWORD'] ?? ''];
    return print(EXIT.failure, `this is a fault of the command: ${errorText(error, secrets)}`);
  }
  const isUsage = /^(config|session|label)\./.test(error.code);
  return print(isUsage ? EXIT.usage : EXIT.failure, `${error.message} (${error.code})`);
}

/** A value may be a password in the wrong place, for example `--pasword=...`. */
function withoutValues(message: string): string {
  return message
    .replace(/^error: /, '')
    .replace(/('--?[\w-]+)=[^']*'/, "$1'")
    .replace(/ argument '.*' is invalid\./s, ' has an invalid value.');
}
