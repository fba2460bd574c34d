import type { ServerAddress } from '../../stores/valkey/config/server-list.js';
import type { SentinelTarget } from '../../stores/valkey/config/valkey-target.js';
import { endpointSource } from '../../stores/valkey/connection/endpoint-source.js';
import { DialError } from '../../stores/valkey/connection/valkey-source.js';
import { Sentinel } from '../../stores/valkey/sentinel/sentinel.js';
import { nameOf } from '../../stores/valkey/sentinel/sentinel-vote.js';
import { failed } from './failed-connection.js';
import { at, type Finding, type LocalFinding } from './finding.js';

const TIMEOUT_MS = 3_000;
const FEWEST = 3;

export interface SentinelCheck {
  readonly findings: readonly Finding[];
  /** The address that most of the listed Sentinels name. */
  readonly primary: ServerAddress | undefined;
}

interface Answer {
  readonly sentinel: string;
  readonly named?: ServerAddress;
  readonly finding: LocalFinding;
}

/** Asks each Sentinel for the primary: the store does not report a single Sentinel that is down. */
export async function checkSentinels(target: SentinelTarget): Promise<SentinelCheck> {
  const answers = await Promise.all(target.sentinels.addresses.map((address) => ask(address, target)));
  const votes = new Map<string, number>();
  for (const { named } of answers) if (named) votes.set(nameOf(named), (votes.get(nameOf(named)) ?? 0) + 1);
  const winner = answers.find(({ named }) => named && (votes.get(nameOf(named)) ?? 0) > answers.length / 2)?.named;
  const majority = majorityOf(answers.length, winner, votes);
  const findings = answers.flatMap(({ sentinel, finding }) => at(sentinel, [finding]));
  return { findings: [...findings, ...at('Sentinels', [majority])], primary: winner };
}

async function ask(address: ServerAddress, { sentinels, name, tls }: SentinelTarget): Promise<Answer> {
  const { addresses: _all, ...access } = sentinels;
  const sentinel = new Sentinel(endpointSource({ ...address, ...access }, tls), name, TIMEOUT_MS);
  try {
    const named = await sentinel.primary();
    return {
      sentinel: nameOf(address),
      named,
      finding: { name: 'sentinel', status: 'ok', detail: `names ${nameOf(named)}` },
    };
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    const { code, reason } = error.failure;
    // one of several may be down without a consequence
    return { sentinel: nameOf(address), finding: { ...failed('sentinel', code, reason), status: 'warning' } };
  } finally {
    sentinel.close();
  }
}

function majorityOf(
  listed: number,
  winner: ServerAddress | undefined,
  votes: ReadonlyMap<string, number>,
): LocalFinding {
  const name = 'sentinel_majority';
  if (!winner) {
    const detail = `no primary has the majority of the ${listed} listed Sentinels`;
    return {
      name,
      status: 'failure',
      detail,
      fix: 'Start the Sentinels that are down, and correct those that disagree.',
    };
  }
  const detail = `${votes.get(nameOf(winner))} of ${listed} listed Sentinels name ${nameOf(winner)}`;
  if (listed >= FEWEST) return { name, status: 'ok', detail };
  return { name, status: 'warning', detail, fix: `List all Sentinels, at least ${FEWEST}.` };
}
