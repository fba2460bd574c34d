import type { LocalFinding } from './finding.js';
import { type Info, numberIn } from './info.js';

/** A fuller memory than this is worth a warning. */
const FULL_SHARE = 0.8;
const MAX_LAG_SECONDS = 10;

export function memoryOf(info: Info): LocalFinding {
  const name = 'memory';
  const used = numberIn(info, 'used_memory');
  const limit = numberIn(info, 'maxmemory');
  if (used === undefined || limit === undefined) {
    return { name, status: 'unknown', detail: 'the server does not report used_memory and maxmemory' };
  }
  if (limit === 0) {
    const fix = 'Set maxmemory: without it the system ends the server when the memory of the machine is full.';
    return { name, status: 'warning', detail: `${inMiB(used)} used, no maxmemory`, fix };
  }
  const detail = `${inMiB(used)} of ${inMiB(limit)} used`;
  if (used < FULL_SHARE * limit) return { name, status: 'ok', detail };
  return { name, status: 'warning', detail, fix: 'Raise maxmemory: a full server refuses appends.' };
}

/** A server that cannot write to its disk refuses appends, or will lose them. */
export function diskWritesOf(info: Info): LocalFinding {
  const name = 'disk_writes';
  const outcomes = ['aof_last_write_status', 'aof_last_bgrewrite_status', 'rdb_last_bgsave_status'];
  const known = outcomes.filter((outcome) => info.has(outcome));
  if (known.length === 0) return { name, status: 'unknown', detail: 'the server does not report its writes to disk' };
  const failing = known.filter((outcome) => info.get(outcome) !== 'ok');
  if (failing.length === 0) return { name, status: 'ok', detail: 'the last writes to disk succeeded' };
  const fix = 'Look at the log of the server, and at the space and the rights of its directory.';
  return { name, status: 'failure', detail: `${failing.join(', ')} not ok`, fix };
}

/** @param needsReplica whether a server without a replica is a fault: one server alone may be wanted */
export function replicationOf(info: Info, needsReplica: boolean): LocalFinding {
  const name = 'replication';
  const replicas = [...info].filter(([key]) => /^slave\d+$/.test(key)).map(([, value]) => value);
  if (replicas.length === 0) {
    const detail = 'no replica';
    if (!needsReplica) return { name, status: 'ok', detail: `${detail}: without this server all requests are denied` };
    return { name, status: 'warning', detail, fix: 'Connect a replica: without one there is no failover.' };
  }
  const late = replicas.filter((value) => !isInStep(value));
  const detail = `${replicas.length} connected, ${late.length === 0 ? 'all in step' : `${late.length} behind`}`;
  if (late.length === 0) return { name, status: 'ok', detail };
  const fix =
    'Wait until the replicas have caught up, then run this command again. A failover to one of them loses labels.';
  return { name, status: 'warning', detail, fix };
}

function isInStep(value: string): boolean {
  const lag = Number(/\blag=(\d+)/.exec(value)?.[1] ?? Number.NaN);
  return /\bstate=online\b/.test(value) && lag <= MAX_LAG_SECONDS;
}

function inMiB(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
