import type { Results, ScenarioResult, TargetResult } from './results.js';
import { paired, type Summary } from './statistics.js';

type Measured = Pick<Results, 'saturation' | 'latency' | 'growth' | 'memory' | 'roundTrips'>;

/** What the issue demands, held against what was measured. A target whose figures were not taken is left out. */
export function judge(measured: Measured): TargetResult[] {
  return [
    ...throughput(measured),
    ...addedCpu(measured),
    ...latency(measured),
    ...counts(measured),
    ...sizes(measured),
  ];
}

function throughput({ saturation }: Measured): TargetResult[] {
  const target = (what: string, own: string, other: string, limit: number): TargetResult[] =>
    both(saturation, own, other, (a, b) =>
      atLeast(
        `${what}: throughput over ${b.title}`,
        limit,
        ratioOf(a, b, 'requestsPerSecond'),
        a.quiet.requestsPerSecond / b.quiet.requestsPerSecond,
      ),
    );
  return [
    ...target('no session', 'sessionless', 'bare', 0.97),
    ...target('memory store, clean', 'memory-clean', 'bare', 0.93),
    ...target('Valkey, clean', 'valkey-clean', 'floor-clean', 0.95),
    ...target('Valkey, tainting', 'valkey-taint', 'floor-taint', 0.9),
    ...target('Valkey with TTL, clean', 'valkey-ttl-clean', 'floor-ttl-clean', 0.95),
    ...target('Valkey with TTL, tainting', 'valkey-ttl-taint', 'floor-ttl-taint', 0.9),
  ];
}

function addedCpu({ saturation }: Measured): TargetResult[] {
  const bare = saturation.find(({ name }) => name === 'bare');
  if (!bare) return [];
  const target = (what: string, own: string, other: string, limit: number): TargetResult[] =>
    both(saturation, own, other, (a, b) =>
      atMost(
        `${what}: added CPU over that of ${b.title}`,
        limit,
        addedRatioOf(a, b, bare),
        (a.quiet.cpuMicros - bare.quiet.cpuMicros) / (b.quiet.cpuMicros - bare.quiet.cpuMicros),
      ),
    );
  return [
    ...target('Valkey, clean', 'valkey-clean', 'floor-clean', 1.3),
    ...target('Valkey, tainting', 'valkey-taint', 'floor-taint', 1.5),
    ...target('Valkey with TTL, clean', 'valkey-ttl-clean', 'floor-ttl-clean', 1.3),
    ...target('Valkey with TTL, tainting', 'valkey-ttl-taint', 'floor-ttl-taint', 1.5),
    ...target('Valkey, clean', 'valkey-clean', 'express-session-touched', 0.5),
    ...target('Valkey, tainting', 'valkey-taint', 'express-session-saved', 0.5),
  ];
}

const LATENCY_MARGIN_MS = 0.3;

function latency({ latency: results }: Measured): TargetResult[] {
  const own = results.find(({ name }) => name === 'valkey-clean');
  const trip = results.find(({ name }) => name === 'floor-clean')?.storeP99Ms;
  if (!own || !trip) return [];
  const limit = trip.median + LATENCY_MARGIN_MS;
  return [
    {
      target: 'Valkey, clean: p99 at half load over bare Express; one store round trip and 0.3 ms',
      limit: `<= ${limit.toFixed(2)} ms`,
      measured: `${own.addedP99Ms.median.toFixed(2)} ms`,
      spread: own.addedP99Ms.spread,
      met: own.addedP99Ms.median <= limit,
    },
  ];
}

function counts({ roundTrips }: Measured): TargetResult[] {
  const expected: ReadonlyArray<readonly [name: string, trips: number]> = [
    ['sessionless', 0],
    ['valkey-clean', 1],
    ['valkey-taint', 2],
    ['valkey-write-ahead', 2],
    ['valkey-ttl-clean', 1],
    ['valkey-ttl-taint', 2],
  ];
  return expected.flatMap(([name, trips]) => {
    const result = roundTrips.find((candidate) => candidate.name === name);
    if (!result) return [];
    return [
      {
        target: `${result.title}: round trips`,
        limit: `= ${trips}`,
        measured: `${result.roundTrips}`,
        spread: 0,
        met: result.roundTrips === trips,
      },
    ];
  });
}

const HELD_BYTES = 1_024;
const GROWTH_RATIO = 1.1;

function sizes({ growth, memory }: Measured): TargetResult[] {
  const points = growth.find(({ of }) => of === 'sessions in Valkey')?.points ?? [];
  const [first, last] = [points[0], points.at(-1)];
  const sessions =
    first && last && first !== last
      ? [
          atMost(`CPU per request with ${last.size} sessions over that with ${first.size}`, GROWTH_RATIO, {
            median: last.cpuMicros.median / first.cpuMicros.median,
            spread: Math.max(first.cpuMicros.spread, last.cpuMicros.spread),
            rounds: first.cpuMicros.rounds,
            low: last.cpuMicros.low / first.cpuMicros.high,
            high: last.cpuMicros.high / first.cpuMicros.low,
          }),
        ]
      : [];
  const held = (memory?.held ?? []).map(({ bodyBytes, beyondBodyBytes }) =>
    withinHeldBytes(`memory of a held response beyond its body of ${bodyBytes} bytes`, beyondBodyBytes),
  );
  const overNode = (memory?.held ?? []).flatMap(({ bodyBytes, beyondBodyBytes }, n) => {
    const byNode = memory?.keptByNode[n]?.beyondBodyBytes;
    if (byNode === undefined) return [];
    const what = `the same, beyond what Node itself takes for such an answer, body of ${bodyBytes} bytes`;
    return [withinHeldBytes(what, beyondBodyBytes - byNode)];
  });
  return [...sessions, ...held, ...overNode];
}

function withinHeldBytes(target: string, bytes: number): TargetResult {
  return {
    target,
    limit: `<= ${HELD_BYTES} bytes`,
    measured: `${Math.round(bytes)} bytes`,
    spread: 0,
    met: bytes <= HELD_BYTES,
  };
}

function both(
  results: readonly ScenarioResult[],
  own: string,
  other: string,
  make: (a: ScenarioResult, b: ScenarioResult) => TargetResult,
): TargetResult[] {
  const a = results.find(({ name }) => name === own);
  const b = results.find(({ name }) => name === other);
  return a && b ? [make(a, b)] : [];
}

function ratioOf(a: ScenarioResult, b: ScenarioResult, figure: 'requestsPerSecond' | 'cpuMicros'): Summary {
  return paired(
    a.rounds.map((round) => round[figure]),
    b.rounds.map((round) => round[figure]),
    (x, y) => x / y,
  );
}

function addedRatioOf(a: ScenarioResult, b: ScenarioResult, bare: ScenarioResult): Summary {
  const added = (result: ScenarioResult): number[] =>
    result.rounds.map(({ cpuMicros }, round) => cpuMicros - (bare.rounds[round]?.cpuMicros ?? Number.NaN));
  return paired(added(a), added(b), (x, y) => x / y);
}

function atLeast(target: string, limit: number, summary: Summary, quiet?: number): TargetResult {
  return { ...figures(summary, 3, quiet), target, limit: `>= ${limit}`, met: summary.median >= limit };
}

function atMost(target: string, limit: number, summary: Summary, quiet?: number): TargetResult {
  return { ...figures(summary, 2, quiet), target, limit: `<= ${limit}`, met: summary.median <= limit };
}

function figures(
  { median, spread, low, high }: Summary,
  digits: number,
  quiet: number | undefined,
): Pick<TargetResult, 'measured' | 'spread' | 'interval' | 'quiet'> {
  return {
    measured: median.toFixed(digits),
    spread,
    interval: [low.toFixed(digits), high.toFixed(digits)],
    ...(quiet !== undefined && { quiet: quiet.toFixed(digits) }),
  };
}
