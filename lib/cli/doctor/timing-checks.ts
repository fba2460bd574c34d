import type { Reply } from '../../stores/valkey/protocol/resp-parser.js';
import { now } from '../../util/clock.js';
import type { LocalFinding } from './finding.js';
import { type Info, numberIn } from './info.js';

const ROUND_TRIPS = 10;
const MAX_SKEW_MS = 2_000;
/** The part of a call's deadline that one round trip may take. */
const SLOW_SHARE = 0.2;

/** The deadlines of the app: its options `connectTimeoutMs` and `commandTimeoutMs`. */
export interface AppDeadlines {
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

export function connectionOf(tookMs: number, { connectTimeoutMs }: AppDeadlines): LocalFinding {
  const name = 'connection';
  const detail = `connected and logged in within ${Math.ceil(tookMs)} ms`;
  if (tookMs <= connectTimeoutMs) return { name, status: 'ok', detail };
  const fix = `A call of the app waits ${connectTimeoutMs} ms for a connection. Raise its connectTimeoutMs, or find out why the server is slow.`;
  return { name, status: 'warning', detail, fix };
}

/** Ten round trips, one after the other. */
export async function latencyOf(
  roundTrip: () => Promise<unknown>,
  { commandTimeoutMs }: AppDeadlines,
): Promise<LocalFinding> {
  const times: number[] = [];
  while (times.length < ROUND_TRIPS) {
    const startedMs = now();
    await roundTrip();
    times.push(now() - startedMs);
  }
  const sorted = times.toSorted((a, b) => a - b).map((ms) => ms.toFixed(1));
  const [shortest, median, longest] = [sorted[0], sorted[ROUND_TRIPS / 2], sorted[ROUND_TRIPS - 1]];
  const name = 'latency';
  const detail = `${ROUND_TRIPS} round trips took ${shortest} to ${longest} ms, median ${median} ms`;
  if (Math.max(...times) <= SLOW_SHARE * commandTimeoutMs) return { name, status: 'ok', detail };
  const fix = `A call of the app waits ${commandTimeoutMs} ms for its reply. Move the server nearer, find out why it is slow, or raise commandTimeoutMs.`;
  return { name, status: 'warning', detail, fix };
}

/** Compares the clocks of the server and of this machine. The server read its clock between `sentMs` and `receivedMs`. */
export function clockOf(serverMs: number | undefined, sentMs: number, receivedMs: number): LocalFinding {
  const name = 'clock';
  if (serverMs === undefined) return { name, status: 'unknown', detail: 'the server does not report its time' };
  const skewMs = Math.round(serverMs - (sentMs + receivedMs) / 2);
  const size = Math.abs(skewMs);
  if (size <= MAX_SKEW_MS) {
    return { name, status: 'ok', detail: `the clocks of the server and of this machine differ by ${size} ms` };
  }
  const detail = `the clock of the server is ${size} ms ${skewMs < 0 ? 'behind' : 'ahead of'} the clock of this machine`;
  const fix = 'Synchronize both clocks: certificates, and the times in logs and provenance, depend on them.';
  return { name, status: 'warning', detail, fix };
}

/** The time in INFO needs no right that the user of the store does not have. */
export function timeInInfo(info: Info): number | undefined {
  const microseconds = numberIn(info, 'server_time_usec');
  return microseconds === undefined ? undefined : microseconds / 1_000;
}

/** Reads the reply to `TIME`: seconds and microseconds. */
export function timeIn(reply: Reply | undefined): number | undefined {
  const [seconds, microseconds] = Array.isArray(reply) ? reply.map(Number) : [];
  if (seconds === undefined || microseconds === undefined) return undefined;
  return seconds * 1_000 + microseconds / 1_000;
}
