import { addedInstructions, instructionsOf } from './report/instructions.js';
import { isSteady } from './report/measurable.js';
import type { Comparison, Results, TargetResult, Verdict } from './results.js';
import { hasInterval, type Summary } from './statistics.js';

type Measured = Pick<Results, 'instructions' | 'comparisons' | 'memory' | 'roundTrips'>;

/** Compares the targets with the results. A target whose figures were not taken is left out. */
export function judge(measured: Measured): TargetResult[] {
  return [...inInstructions(measured), ...inTime(measured), ...roundTrips(measured), ...sizes(measured)];
}

const THROUGHPUT = [
  { what: 'clean', own: 'valkey-clean', other: 'floor-clean', limit: 0.97 },
  { what: 'tainting', own: 'valkey-taint', other: 'floor-taint', limit: 0.92 },
  { what: 'with TTL, clean', own: 'valkey-ttl-clean', other: 'floor-ttl-clean', limit: 0.97 },
  { what: 'with TTL, tainting', own: 'valkey-ttl-taint', other: 'floor-ttl-taint', limit: 0.92 },
] as const;

const ADDED = [
  { what: 'clean', own: 'valkey-clean', other: 'session-touched', limit: 0.4 },
  { what: 'tainting', own: 'valkey-taint', other: 'session-saved', limit: 0.4 },
] as const;
const PEER = 'express-session + connect-redis';

function inInstructions({ instructions: all }: Measured): TargetResult[] {
  const instructions = all.filter((result) => isSteady(result.instructions));
  const bare = instructionsOf(instructions, 'bare');
  if (!bare) return [];
  const throughput = THROUGHPUT.flatMap(({ what, own, other, limit }) => {
    const [a, b] = [instructionsOf(instructions, own), instructionsOf(instructions, other)];
    return a && b ? [atLeast(`Valkey, ${what}: instructions of the floor over ours`, limit, quotient(b, a))] : [];
  });
  const added = ADDED.flatMap(({ what, own, other, limit }) => {
    const [a, b] = [addedInstructions(instructions, own), addedInstructions(instructions, other)];
    return a && b ? [atMost(`Valkey, ${what}: added instructions over those of ${PEER}`, limit, quotient(a, b))] : [];
  });
  return [...throughput, ...added];
}

function inTime({ comparisons }: Measured): TargetResult[] {
  const find = (own: string, other: string) => comparisons.find((one) => one.own === own && one.other === other);
  const throughput = THROUGHPUT.flatMap(({ what, own, other, limit }) => {
    const found = find(own, other);
    return found ? [timed(atLeast(`Valkey, ${what}: throughput over the floor`, limit, found.throughput), found)] : [];
  });
  const added = ADDED.flatMap(({ what, own, other, limit }) => {
    const found = find(own, other);
    return found
      ? [timed(atMost(`Valkey, ${what}: added CPU time over that of ${PEER}`, limit, found.addedCpu), found)]
      : [];
  });
  return [...throughput, ...added];
}

function timed(result: TargetResult, { throughput }: Comparison): TargetResult {
  return hasInterval(throughput) ? result : { ...result, verdict: 'not measurable' };
}

const EXPECTED_TRIPS = [
  ['sessionless', 0],
  ['valkey-clean', 1],
  ['valkey-taint', 2],
  ['valkey-write-ahead', 2],
  ['valkey-ttl-clean', 1],
  ['valkey-ttl-taint', 2],
] as const;

function roundTrips({ roundTrips: results }: Measured): TargetResult[] {
  return EXPECTED_TRIPS.flatMap(([name, expected]) => {
    const result = results.find((candidate) => candidate.name === name);
    if (!result) return [];
    const { title, roundTrips: trips } = result;
    return [exact(`${title}: round trips`, `= ${expected}`, `${trips}`, trips === expected)];
  });
}

const HELD_BYTES = 1_024;

/** Only what the hold adds to Node's own part of a response that waits can be made smaller here. */
function sizes({ memory }: Measured): TargetResult[] {
  return (memory?.held ?? []).flatMap(({ bodyBytes, beyondBodyBytes }, n) => {
    const byNode = memory?.keptByNode[n]?.beyondBodyBytes;
    if (byNode === undefined) return [];
    const bytes = Math.round(beyondBodyBytes - byNode);
    const target = `held response with a body of ${bodyBytes.toLocaleString('en')} bytes, beyond what Node takes`;
    return [exact(target, `<= ${HELD_BYTES} bytes`, `${bytes} bytes`, bytes <= HELD_BYTES)];
  });
}

/** The interval is the widest one that the two intervals allow. It has no end if `b` may be nothing. */
function quotient(a: Summary, b: Summary): Summary {
  const ends = b.low > 0 ? [a.low, a.high].flatMap((end) => [end / b.low, end / b.high]) : [-Infinity, Infinity];
  return { ...a, median: a.median / b.median, low: Math.min(...ends), high: Math.max(...ends) };
}

function exact(target: string, limit: string, measured: string, isMet: boolean): TargetResult {
  return { target, limit, measured, verdict: isMet ? 'met' : 'missed' };
}

function atLeast(target: string, limit: number, summary: Summary): TargetResult {
  return {
    target,
    limit: `>= ${limit}`,
    ...figures(summary),
    verdict: verdictOf(summary.low >= limit, summary.high < limit),
  };
}

function atMost(target: string, limit: number, summary: Summary): TargetResult {
  return {
    target,
    limit: `<= ${limit}`,
    ...figures(summary),
    verdict: verdictOf(summary.high <= limit, summary.low > limit),
  };
}

/** An interval with the limit inside shows nothing. */
function verdictOf(isMet: boolean, isMissed: boolean): Verdict {
  if (isMet) return 'met';
  return isMissed ? 'missed' : 'not measurable';
}

function figures({ median, low, high }: Summary): Pick<TargetResult, 'measured' | 'interval'> {
  return { measured: median.toFixed(2), interval: [low.toFixed(2), high.toFixed(2)] };
}
