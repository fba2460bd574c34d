import type { Summary } from './statistics.js';

/** The content of `results.json`. Everything in the documents is made of it. */
export interface Results {
  readonly at: string;
  readonly command: string;
  readonly quick: boolean;
  readonly minutes: number;
  readonly machine: Machine;
  /** The median share of the machine that other processes had, from 0 to 1. */
  readonly foreign: number;
  /** Empty without valgrind. */
  readonly instructions: readonly InstructionResult[];
  readonly saturation: readonly SaturationResult[];
  readonly comparisons: readonly Comparison[];
  readonly latency: readonly LatencyResult[];
  readonly scale: ScaleResult | undefined;
  readonly memory: MemoryResult | undefined;
  readonly roundTrips: readonly RoundTripResult[];
  readonly targets: readonly TargetResult[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly pinned: boolean;
  readonly versions: Readonly<Record<string, string>>;
}

/** A scenario of the comparison. */
interface Named {
  readonly name: string;
  readonly title: string;
}

export interface InstructionResult extends Named {
  /** User-space instructions of the app process for one request. */
  readonly instructions: Summary;
}

export interface SaturationResult extends Named {
  readonly requestsPerSecond: Summary;
  readonly cpuMicros: Summary;
  /** Over bare Express in the same round. */
  readonly throughputRatio: Summary;
  readonly addedCpuMicros: Summary;
  /** The share of the time in which the app worked. Below 0.9 the throughput is not that of the app. */
  readonly utilisation: number;
}

/** Two scenarios in the same rounds. */
export interface Comparison {
  readonly own: string;
  readonly other: string;
  readonly throughput: Summary;
  /** The CPU that `own` adds to bare Express over the CPU that `other` adds. */
  readonly addedCpu: Summary;
}

export interface LatencyResult extends Named {
  /** Pairs a second: the same for all. */
  readonly rate: number;
  readonly pairs: number;
  readonly p50Ms: number;
  /** Over bare Express, in the same pairs. */
  readonly addedP50Ms: Summary;
  readonly addedP99Ms: Summary;
}

export interface ScaleResult {
  /** The longest turn of the event loop during one request, by labels of its session. */
  readonly stalls: ReadonlyArray<{ readonly labels: number; readonly longestTurnMs: Summary }>;
  readonly sessionBytes: ReadonlyArray<{ readonly labels: number; readonly memory: number; readonly valkey: number }>;
  readonly processes: ReadonlyArray<ProcessesResult>;
}

export interface ProcessesResult extends Named {
  readonly processes: number;
  readonly requestsPerSecond: Summary;
  /** Of all app processes together, for one request. */
  readonly appMicros: Summary;
  readonly valkeyMicros: Summary;
}

export interface KeptAnswer {
  readonly bodyBytes: number;
  /** Beyond body and request in flight. */
  readonly beyondBodyBytes: number;
}

export interface MemoryResult {
  readonly inFlightBytes: number;
  readonly held: readonly KeptAnswer[];
  /** The same answers by bare Express, where Node keeps them for another reason. */
  readonly keptByNode: readonly KeptAnswer[];
}

export interface RoundTripResult extends Named {
  readonly roundTrips: number;
  /** Commands per request, as the server counts them. */
  readonly commands: Readonly<Record<string, number>>;
}

export type Verdict = 'met' | 'missed' | 'not measurable';

export interface TargetResult {
  readonly target: string;
  readonly limit: string;
  readonly measured: string;
  /** For medians. */
  readonly interval?: readonly [low: string, high: string];
  readonly verdict: Verdict;
}
