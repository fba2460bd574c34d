import type { Summary } from './statistics.js';

/** What `results.json` holds. Everything in the documents is made of it. */
export interface Results {
  readonly at: string;
  readonly command: string;
  readonly quick: boolean;
  readonly minutes: number;
  readonly machine: Machine;
  readonly noise: Noise;
  readonly saturation: readonly ScenarioResult[];
  readonly latency: readonly LatencyResult[];
  readonly growth: readonly GrowthResult[];
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

export interface Noise {
  /** The median share of the machine that other processes had, from 0 to 1. */
  readonly foreign: number;
  /** The median spread of CPU per request. */
  readonly spread: number;
  /** How far the interval of a ratio of throughputs reaches from its median, in the median. */
  readonly margin: number;
  /** Reasons not to conclude anything; empty if there are none. */
  readonly warnings: readonly string[];
}

export interface ScenarioResult {
  readonly name: string;
  readonly title: string;
  readonly baseline: string;
  readonly requestsPerSecond: Summary;
  readonly cpuMicros: Summary;
  /** Over the baseline, in the same round. */
  readonly throughputRatio: Summary;
  readonly addedCpuMicros: Summary;
  readonly utilisation: number;
  /** The best tenth of the rounds, in which the machine disturbed least. */
  readonly quiet: { readonly requestsPerSecond: number; readonly cpuMicros: number };
  readonly rounds: ReadonlyArray<{ readonly requestsPerSecond: number; readonly cpuMicros: number }>;
}

export interface LatencyResult {
  readonly name: string;
  readonly title: string;
  /** Requests per second that were offered: the same for all. */
  readonly rate: number;
  readonly p50Ms: Summary;
  readonly p99Ms: Summary;
  /** Over bare Express, in the same round. */
  readonly addedP50Ms: Summary;
  readonly addedP99Ms: Summary;
  /** Time of one command, as the floor sees it. */
  readonly storeP99Ms?: Summary;
}

export interface GrowthResult {
  /** What grows, for example `labels`. */
  readonly of: string;
  readonly name: string;
  readonly title: string;
  readonly points: ReadonlyArray<{ readonly size: number; readonly cpuMicros: Summary }>;
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
  readonly perSessionBytes: { readonly memory: number; readonly valkey: number };
}

export interface RoundTripResult {
  readonly name: string;
  readonly title: string;
  readonly roundTrips: number;
  /** Commands per request, as the server counts them. */
  readonly commands: Readonly<Record<string, number>>;
}

export interface TargetResult {
  readonly target: string;
  readonly limit: string;
  readonly measured: string;
  readonly spread: number;
  /** The interval of the median, for medians. */
  readonly interval?: readonly [low: string, high: string];
  /** The same of the quietest tenth of the rounds. */
  readonly quiet?: string;
  readonly met: boolean;
}
