import { checkServer } from '../../stores/valkey/calls/check-server.js';
import type { Reply } from '../../stores/valkey/protocol/resp-parser.js';
import type { ValkeyAsker } from '../../stores/valkey/protocol/valkey-wire.js';
import { wallClock } from '../../util/clock.js';
import type { DurabilityCheck } from './durability-check.js';
import { checkExcess } from './excess-check.js';
import { failedCall } from './failed-connection.js';
import type { LocalFinding } from './finding.js';
import { infoIn } from './info.js';
import { type AskPrimary, checkRights, type RightsOptions } from './rights-check.js';
import { diskWritesOf, memoryOf, replicationOf } from './server-checks.js';
import { type AppDeadlines, clockOf, latencyOf, timeIn, timeInInfo } from './timing-checks.js';

export interface PrimaryOptions extends AppDeadlines, RightsOptions {
  /** Whether to try rights that the user must not have. */
  readonly tryExcess: boolean;
  readonly needsReplica: boolean;
  /** Set if the app has `durability`. */
  readonly durable: DurabilityCheck | undefined;
}

/** Sends commands to one primary, with the deadlines and redirects of the store. */
export interface Primary {
  readonly ask: AskPrimary;
  run<T>(name: string, command: (wire: ValkeyAsker) => Promise<T>): Promise<T>;
}

/** All checks of one primary. A check whose call fails is a finding, and the others still run. */
export async function examinePrimary(primary: Primary, options: PrimaryOptions): Promise<LocalFinding[]> {
  const { ask } = primary;
  const checks: ReadonlyArray<readonly [name: string, run: () => Promise<readonly LocalFinding[]>]> = [
    ['latency', async () => [await latencyOf(() => ask('round trip'), options)]],
    [
      'settings',
      async () => (await primary.run('settings', (wire) => checkServer(wire, options.durable?.durability))).findings,
    ],
    ['state', () => stateOf(ask, options)],
    ['rights', () => checkRights(ask, options)],
    ['excess_rights', async () => (options.tryExcess ? checkExcess(ask, options) : [])],
  ];
  const findings: LocalFinding[] = [];
  // one after the other: a check must not delay the round trips of another one
  for (const [name, run] of checks) {
    const found = await run().catch((error: unknown) => [failedCall(name, error)]);
    findings.push(...found);
  }
  return findings;
}

async function stateOf(ask: AskPrimary, { needsReplica }: PrimaryOptions): Promise<LocalFinding[]> {
  const sentMs = wallClock();
  const [reply] = await ask('state', ['info']);
  const receivedMs = wallClock();
  const info = infoIn(reply);
  if (info) {
    const clock = clockOf(timeInInfo(info), sentMs, receivedMs);
    return [memoryOf(info), diskWritesOf(info), replicationOf(info, needsReplica), clock];
  }
  const unknown = ['memory', 'disk_writes', 'replication'].map((name): LocalFinding => {
    return { name, status: 'unknown', detail: 'the server refuses INFO', fix: 'Grant +info.' };
  });
  return [...unknown, await clockByTime(ask)];
}

async function clockByTime(ask: AskPrimary): Promise<LocalFinding> {
  const sentMs = wallClock();
  const [reply]: readonly Reply[] = await ask('time', ['time']);
  return clockOf(timeIn(reply), sentMs, wallClock());
}
