import { Command } from 'commander';
import type { ValkeyDurabilityOptions } from '../../stores/valkey/config/valkey-durability.js';
import { DurabilityCheck } from '../doctor/durability-check.js';
import { examine } from '../doctor/examine.js';
import { exitCodeOf, reportText, worstOf } from '../doctor/report.js';
import { PATIENCE, Servers } from '../target/servers.js';
import { targetFrom } from '../target/target.js';
import { addTargetFlags, positiveInteger, type TargetFlags } from '../target/target-flags.js';
import { paintFor } from '../terminal/paint.js';
import { type CliContext, printJson } from './cli-context.js';

interface DoctorFlags extends TargetFlags {
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly ttl: boolean;
  readonly synced?: true;
  readonly replicas?: number;
  readonly fencedReads?: true;
  readonly excess: boolean;
  readonly json?: true;
}

export function doctorCommand(context: CliContext): Command {
  return addTargetFlags(new Command('doctor'))
    .summary('check whether a Valkey is fit to store labels')
    .description(
      'Connects as the store of an app does, and checks the server: TLS, rights, eviction, persistence, replication, clock, latency, version.',
    )
    .optionsGroup('Checks:')
    .option('--connect-timeout-ms <ms>', 'the connectTimeoutMs of the app', positiveInteger, 250)
    .option('--command-timeout-ms <ms>', 'the commandTimeoutMs of the app', positiveInteger, 500)
    .option('--no-ttl', 'the app has no ttlSeconds; the probe key then stays on the server')
    .option('--synced', "the app has durability: { local: 'synced' }")
    .option('--replicas <number>', 'the durability.replicas of the app', positiveInteger)
    .option('--fenced-reads', 'the app has durability.fencedReads')
    .option('--no-excess', 'do not try rights that the user must not have; each refused one is an entry in ACL LOG')
    .optionsGroup('Output:')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 all ok, 1 a warning or an unknown fact, 2 a failure, 3 a wrong call.')
    .action((endpoint: string | undefined, flags: DoctorFlags) => runDoctor(context, endpoint, flags));
}

async function runDoctor(context: CliContext, endpoint: string | undefined, flags: DoctorFlags): Promise<void> {
  const { terminal } = context;
  const { connectTimeoutMs, commandTimeoutMs, ttl, excess } = flags;
  const target = await targetFrom(endpoint, flags, terminal);
  const durability = durabilityFrom(flags);
  const deadlines = { connectTimeoutMs: Math.max(connectTimeoutMs, PATIENCE.connectTimeoutMs), commandTimeoutMs };
  const durable = durability && new DurabilityCheck({ ...target, ...deadlines }, durability);
  const servers = new Servers(target);
  try {
    const findings = await examine(servers, {
      connectTimeoutMs,
      commandTimeoutMs,
      withTtl: ttl,
      tryExcess: excess,
      durable,
    });
    context.setExitCode(exitCodeOf(findings));
    if (flags.json) printJson(context, { status: worstOf(findings), findings });
    else terminal.out.write(reportText(findings, paintFor(terminal.out, terminal.env)));
  } finally {
    servers.close();
  }
}

function durabilityFrom({ synced, replicas, fencedReads }: DoctorFlags): ValkeyDurabilityOptions | undefined {
  if (!synced && replicas === undefined && !fencedReads) return undefined;
  return {
    ...(synced && { local: 'synced' }),
    ...(replicas !== undefined && { replicas }),
    ...(fencedReads && { fencedReads }),
  };
}
