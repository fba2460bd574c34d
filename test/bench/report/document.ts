import type { Results } from '../results.js';
import type { Summary } from '../statistics.js';

/** `docs/benchmarks.md`, of nothing but a run. */
export function writeDocument(results: Results): string {
  const { machine, noise } = results;
  return `${[
    '# Benchmarks',
    `<!-- Made by \`${results.command}\` from docs/benchmarks/results.json; a change here is lost. -->`,
    `Everything below is one run of \`${results.command}\` at ${results.at} (${results.minutes.toFixed(1)} minutes), side by side on one machine: real HTTP over loopback against real processes, load from a process of its own, scenarios in alternating order in every round. Figures are medians; ± is half the interquartile range, *interval* is where the true median is with 95 % (if rounds are independent), *quiet* is the same ratio of the best tenth of the rounds, in which the machine disturbed least. A target is met or missed by its median. Compare the ratios; absolute figures are this machine's.`,
    ...noise.warnings.map((warning) => `> **Noisy machine.** ${warning}`),
    machineTable(results),
    '## Targets',
    table(
      ['Target', 'Limit', 'Median', 'Interval', 'Quiet', ''],
      results.targets.map((t) => [
        t.target,
        t.limit,
        t.measured,
        t.interval?.join(' to ') ?? '',
        t.quiet ?? '',
        t.met ? 'met' : '**missed**',
      ]),
    ),
    '## Throughput and CPU',
    '![CPU that a middleware adds](benchmarks/added-cpu.svg)',
    `64 connections, each with one request under way. *Added* is over bare Express in the same round; for streams, over bare Express with the same stream; for the context, over the same without it. The app has one core for itself${machine.pinned ? '' : ' (not on this machine: nothing was pinned)'}. The *floor* is the least hand-written middleware with the same commands, auto-pipelined, without a check or a deadline.`,
    table(
      ['', 'Requests/s', 'Throughput', 'CPU per request', 'Added CPU'],
      results.saturation.map((r) => [
        r.title,
        withSpread(r.requestsPerSecond, 0),
        withSpread(r.throughputRatio, 3),
        `${withSpread(r.cpuMicros, 1)} µs`,
        r.name === r.baseline ? '' : `${r.addedCpuMicros.median.toFixed(1)} µs`,
      ]),
    ),
    '## Latency at half load',
    '![p99 over bare Express](benchmarks/added-p99.svg)',
    `Requests arrive at random moments, ${results.latency[0]?.rate ?? 0} a second: half of what a tainting request with Valkey reaches. The same rate for all.`,
    table(
      ['', 'p50', 'p99', 'p50 added', 'p99 added', 'one command, p99'],
      results.latency.map((r) => [
        r.title,
        ms(r.p50Ms),
        ms(r.p99Ms),
        ms(r.addedP50Ms),
        ms(r.addedP99Ms),
        r.storeP99Ms ? ms(r.storeP99Ms) : '',
      ]),
    ),
    '## Round trips and commands',
    table(
      ['', 'Round trips', 'Commands per request'],
      results.roundTrips.map((r) => [r.title, `${r.roundTrips}`, commandsText(r.commands)]),
    ),
    ...growthSections(results),
    ...memorySection(results),
  ].join('\n\n')}\n`;
}

function machineTable({ machine }: Results): string {
  return table(
    ['Machine', ''],
    [
      ['CPU', `${machine.cpu}, ${machine.cores} cores`],
      ['Memory', `${machine.memoryGiB} GiB`],
      ['System', machine.system],
      ...Object.entries(machine.versions).map(([name, version]) => [name, version]),
    ],
  );
}

function growthSections({ growth }: Results): string[] {
  return [...new Set(growth.map(({ of }) => of))].flatMap((of) => {
    const lines = growth.filter((line) => line.of === of);
    const sizes = lines[0]?.points.map(({ size }) => size) ?? [];
    return [
      `## CPU per request by ${of}`,
      table(
        ['', ...sizes.map((size) => size.toLocaleString('en'))],
        lines.map(({ title, points }) => [title, ...points.map(({ cpuMicros }) => `${withSpread(cpuMicros, 1)} µs`)]),
      ),
    ];
  });
}

function memorySection({ memory }: Results): string[] {
  if (!memory) return [];
  return [
    '## Memory',
    table(
      ['', 'Bytes'],
      [
        ['request in flight, over bare Express', bytes(memory.inFlightBytes)],
        ...memory.held.map(({ bodyBytes, beyondBodyBytes }) => [
          `held response with a body of ${bodyBytes.toLocaleString('en')} bytes, beyond body and request in flight`,
          bytes(beyondBodyBytes),
        ]),
        ...(memory.keptByNode ?? []).map(({ bodyBytes, beyondBodyBytes }) => [
          `the same answer by bare Express with a body of ${bodyBytes.toLocaleString('en')} bytes, kept by Node behind another one`,
          bytes(beyondBodyBytes),
        ]),
        ['session with two labels, memory store', bytes(memory.perSessionBytes.memory)],
        ['session with two labels, Valkey', bytes(memory.perSessionBytes.valkey)],
      ],
    ),
  ];
}

function commandsText(commands: Readonly<Record<string, number>>): string {
  const parts = Object.entries(commands).map(([name, calls]) => `${name.toUpperCase()} ${calls}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
}

function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function withSpread({ median, spread }: Summary, digits: number): string {
  return `${median.toFixed(digits)} ± ${percent(spread)}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function ms({ median }: Summary): string {
  return `${median.toFixed(2)} ms`;
}

function bytes(count: number): string {
  return Math.round(count).toLocaleString('en');
}
