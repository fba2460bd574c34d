import { Command } from 'commander';
import { readEnrolment } from '../../labels/enrolment.js';
import { sha256Hex } from '../../session/digest.js';
import { labelsIn, loadCommand } from '../../stores/valkey/calls/label-commands.js';
import type { Reply } from '../../stores/valkey/protocol/resp-parser.js';
import { Servers } from '../target/servers.js';
import { targetFrom } from '../target/target.js';
import { addTargetFlags, type TargetFlags } from '../target/target-flags.js';
import { paintFor } from '../terminal/paint.js';
import { printable } from '../terminal/printable.js';
import { tableLines } from '../terminal/table.js';
import { type CliContext, printJson } from './cli-context.js';
import { addSessionFlags, type SessionFlags, sessionFrom } from './session-flags.js';

interface InspectFlags extends TargetFlags, SessionFlags {
  readonly json?: true;
}

/** What the server has for a session. */
interface Inspection {
  readonly session: string;
  readonly key: string;
  /** `unknown` if the user has no right to run TTL. */
  readonly expiry: 'in_seconds' | 'never' | 'unknown' | 'no_session';
  readonly ttlSeconds?: number;
  readonly enrolled: boolean;
  readonly labels: readonly string[];
}

export function inspectCommand(context: CliContext): Command {
  return addSessionFlags(addTargetFlags(new Command('inspect')))
    .summary('show the labels and the TTL of a session')
    .description('Loads the labels of one session as the store does, and its TTL. Changes nothing.')
    .optionsGroup('Output:')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 loaded, 2 a failure, 3 a wrong call.')
    .action((endpoint: string | undefined, flags: InspectFlags) => runInspect(context, endpoint, flags));
}

async function runInspect(context: CliContext, endpoint: string | undefined, flags: InspectFlags): Promise<void> {
  const { terminal } = context;
  const session = sessionFrom(flags);
  const servers = new Servers(await targetFrom(endpoint, flags, terminal));
  try {
    const inspection = await inspect(servers, session);
    if (flags.json) printJson(context, inspection);
    else terminal.out.write(textOf(inspection, (text) => paintFor(terminal.out, terminal.env)('quiet', text)));
  } finally {
    servers.close();
  }
}

async function inspect(servers: Servers, session: string): Promise<Inspection> {
  const key = `${servers.config.keyPrefix}:${sha256Hex(session)}`;
  // an operator must see a session that has too many labels for the store
  const stored = await servers.run('load', key, async (wire) => {
    return labelsIn(await wire.ask(loadCommand(key)), Number.MAX_SAFE_INTEGER);
  });
  const [ttl] = await servers.ask('TTL', key, ['ttl', key]);
  const { labels, isEnrolled } = readEnrolment(stored);
  return { session, key, ...expiryOf(ttl), enrolled: isEnrolled, labels: labels.toSorted() };
}

function expiryOf(reply: Reply | undefined): Pick<Inspection, 'expiry' | 'ttlSeconds'> {
  if (typeof reply !== 'number') return { expiry: 'unknown' };
  if (reply >= 0) return { expiry: 'in_seconds', ttlSeconds: reply };
  return { expiry: reply === -1 ? 'never' : 'no_session' };
}

function textOf(
  { session, key, expiry, ttlSeconds, enrolled, labels }: Inspection,
  quiet: (text: string) => string,
): string {
  const expiries: Readonly<Record<Inspection['expiry'], string>> = {
    in_seconds: `in ${ttlSeconds} s, unless a request uses the session before`,
    never: 'never',
    unknown: 'unknown: the user has no right to run TTL',
    no_session: 'the server has no such session',
  };
  const [first = 'none', ...others] = labels.map(printable);
  const rows = [
    ['session', session],
    ['key', key],
    ['expires', expiries[expiry]],
    ['enrolled', enrolled ? 'yes' : 'no'],
    ['labels', first],
    ...others.map((label) => ['', label]),
  ];
  const lines = tableLines(rows.map(([name = '', text = '']) => [{ text: name, paint: quiet }, { text }]));
  return `${lines.join('\n')}\n`;
}
