import type { Reply } from '../../stores/valkey/protocol/resp-parser.js';
import type { LocalFinding } from './finding.js';

const SLOTS = 16_384;

/** Whether all slots have a primary, in the reply to `CLUSTER SLOTS`. */
export function coverageOf(reply: Reply | undefined): LocalFinding {
  const ranges = (Array.isArray(reply) ? reply : []).flatMap((range) =>
    Array.isArray(range) ? [range as readonly Reply[]] : [],
  );
  const covered = ranges.reduce((sum, [from, to]) => sum + Number(to) - Number(from) + 1, 0);
  const name = 'cluster_slots';
  const detail = `${covered} of ${SLOTS} slots have a primary`;
  if (covered === SLOTS) return { name, status: 'ok', detail };
  const fix = 'Assign the other slots to a primary: the sessions of these slots are denied.';
  return { name, status: 'failure', detail, fix };
}
