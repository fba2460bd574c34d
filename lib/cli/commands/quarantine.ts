import { Command } from 'commander';
import { quarantine } from '../../stores/quarantine.js';
import { ValkeySessionStore } from '../../stores/valkey/valkey-session-store.js';
import { PATIENCE } from '../target/servers.js';
import { targetFrom } from '../target/target.js';
import { addTargetFlags, positiveInteger, type TargetFlags } from '../target/target-flags.js';
import { type CliContext, printJson } from './cli-context.js';
import { addSessionFlags, type SessionFlags, sessionFrom } from './session-flags.js';

interface QuarantineFlags extends TargetFlags, SessionFlags {
  readonly label: string;
  readonly ttlSeconds?: number;
  readonly provenance?: true;
  readonly json?: true;
}

export function quarantineCommand(context: CliContext): Command {
  return addSessionFlags(addTargetFlags(new Command('quarantine')))
    .summary('add a label to a session')
    .description(
      'Adds a label to a session. Every request that starts afterwards meets it, on every node. Labels are never removed, so this cannot be undone.',
    )
    .optionsGroup('The label:')
    .requiredOption('--label <label>', 'the label that the guards of the app refuse')
    .option(
      '--ttl-seconds <seconds>',
      'the ttlSeconds of the app; without it a new session never expires',
      positiveInteger,
    )
    .option('--provenance', 'the app has the option provenance: record that this command added the label')
    .optionsGroup('Output:')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 added, 2 a failure, 3 a wrong call.')
    .action((endpoint: string | undefined, flags: QuarantineFlags) => runQuarantine(context, endpoint, flags));
}

async function runQuarantine(context: CliContext, endpoint: string | undefined, flags: QuarantineFlags): Promise<void> {
  const { terminal } = context;
  const session = sessionFrom(flags);
  const { label, ttlSeconds, provenance } = flags;
  const options = await targetFrom(endpoint, flags, terminal);
  const store = new ValkeySessionStore({
    ...options,
    ...PATIENCE,
    ...(ttlSeconds !== undefined && { ttlSeconds }),
    ...(provenance && { provenance }),
  });
  try {
    await quarantine(store, session, label);
    if (flags.json) printJson(context, { session, label });
    else terminal.out.write(`The session ${session} has the label ${label}.\n`);
  } finally {
    await store.close();
  }
}
