import { Command } from 'commander';
import type { LabelExplanation, SessionExplanation } from '../../contract/provenance.js';
import { ValkeySessionStore } from '../../stores/valkey/valkey-session-store.js';
import { PATIENCE } from '../target/servers.js';
import { targetFrom } from '../target/target.js';
import { addTargetFlags, type TargetFlags } from '../target/target-flags.js';
import { paintFor } from '../terminal/paint.js';
import { printable } from '../terminal/printable.js';
import { tableLines } from '../terminal/table.js';
import { type CliContext, printJson } from './cli-context.js';
import { addSessionFlags, type SessionFlags, sessionFrom } from './session-flags.js';

interface ExplainFlags extends TargetFlags, SessionFlags {
  readonly json?: true;
}

export function explainCommand(context: CliContext): Command {
  return addSessionFlags(addTargetFlags(new Command('explain')))
    .summary('show why a session has its labels')
    .description(
      'Shows when each label of a session was first added, by which route or guard, on which node. For stores with the option provenance. Changes nothing.',
    )
    .optionsGroup('Output:')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 loaded, 2 a failure, 3 a wrong call.')
    .action((endpoint: string | undefined, flags: ExplainFlags) => runExplain(context, endpoint, flags));
}

async function runExplain(context: CliContext, endpoint: string | undefined, flags: ExplainFlags): Promise<void> {
  const { terminal } = context;
  const session = sessionFrom(flags);
  const options = await targetFrom(endpoint, flags, terminal);
  const store = new ValkeySessionStore({ ...options, ...PATIENCE, provenance: true });
  try {
    const explanation = await store.explain(session);
    if (flags.json) printJson(context, { session, ...explanation });
    else
      terminal.out.write(textOf(session, explanation, (text) => paintFor(terminal.out, terminal.env)('quiet', text)));
  } finally {
    await store.close();
  }
}

function textOf(session: string, { enrolled, labels }: SessionExplanation, quiet: (text: string) => string): string {
  const head = tableLines([
    [{ text: 'session', paint: quiet }, { text: session }],
    [{ text: 'enrolled', paint: quiet }, { text: enrolled ? 'yes' : 'no' }],
  ]);
  if (labels.length === 0) return `${head.join('\n')}\n\nThe session has no labels.\n`;
  const titles = ['label', 'first added at', 'route', 'by', 'node', 'request id'];
  const rows = labels.map((label) => cellsOf(label).map((text) => ({ text: printable(text) })));
  const table = tableLines([titles.map((text) => ({ text, paint: quiet })), ...rows]);
  const notes = [...new Set(labels.flatMap(({ note }) => note ?? []))];
  return `${[...head, '', ...table, ...notes.map((note) => `\n${note}`)].join('\n')}\n`;
}

function cellsOf({ label, firstAddedAt, route, by, node, requestId, note }: LabelExplanation): string[] {
  return [
    label,
    firstAddedAt ?? (note === undefined ? '' : 'no record'),
    route ?? '',
    by ?? '',
    node ?? '',
    requestId ?? '',
  ];
}
