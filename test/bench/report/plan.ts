import type { ProcessesResult, Results } from '../results.js';

/** What the installation must do, and what a server may take. Nothing here was measured. */
export const ASSUMED = {
  requestsPerSecond: 10_000,
  sessions: 100_000_000,
  labels: 5,
  /** The share of requests that add a label. */
  tainting: 0.1,
  /** How busy a core may be. */
  utilisation: 0.5,
  /** A copy on write during a snapshot or a rewrite of the append-only file. */
  memoryReserve: 1.5,
  /** `maxmemory` and reserve of one Valkey server. */
  serverGiB: 32,
} as const;

export interface ScalePlan {
  readonly appMicros: number;
  readonly valkeyMicros: number;
  readonly bytesPerSession: number;
  readonly appProcesses: number;
  /** Share of the one core on which a Valkey executes commands, if one server gets all of them. */
  readonly valkeyCore: number;
  readonly valkeyGiB: number;
  readonly primaries: number;
  readonly topology: 'Sentinel' | 'cluster';
  /** What one Valkey runs out of first. */
  readonly firstLimit: 'memory' | 'CPU';
  /** Sessions and requests per second at which one server is full, each by itself. */
  readonly sessionsOfOneServer: number;
  readonly requestsOfOneServer: number;
}

const GIB = 2 ** 30;

/** `undefined` if a figure that the plan needs was not measured. Of an interval the plan takes the dearer end. */
export function planScale({ scale }: Results): ScalePlan | undefined {
  const one = (name: string) => scale?.processes.find((result) => result.name === name && result.processes === 1);
  const [clean, taint] = [one('valkey-clean'), one('valkey-taint')];
  const bytesPerSession = scale?.sessionBytes.find(({ labels }) => labels === ASSUMED.labels)?.valkey;
  if (!clean || !taint || bytesPerSession === undefined) return undefined;
  const mixed = (of: 'appMicros' | 'valkeyMicros'): number => mix(clean, taint, of);
  const [appMicros, valkeyMicros] = [mixed('appMicros'), mixed('valkeyMicros')];
  const busySeconds = (micros: number): number => (ASSUMED.requestsPerSecond * micros) / 1_000_000;
  const valkeyGiB = (ASSUMED.sessions * bytesPerSession * ASSUMED.memoryReserve) / GIB;
  const valkeyCore = busySeconds(valkeyMicros);
  const [byMemory, byCpu] = [valkeyGiB / ASSUMED.serverGiB, valkeyCore / ASSUMED.utilisation];
  const primaries = Math.max(1, Math.ceil(byMemory), Math.ceil(byCpu));
  return {
    appMicros,
    valkeyMicros,
    bytesPerSession,
    appProcesses: Math.ceil(busySeconds(appMicros) / ASSUMED.utilisation),
    valkeyCore,
    valkeyGiB,
    primaries: primaries === 1 ? 1 : Math.max(3, primaries),
    topology: primaries === 1 ? 'Sentinel' : 'cluster',
    firstLimit: byMemory >= byCpu ? 'memory' : 'CPU',
    sessionsOfOneServer: ASSUMED.sessions / byMemory,
    requestsOfOneServer: ASSUMED.requestsPerSecond / byCpu,
  };
}

function mix(clean: ProcessesResult, taint: ProcessesResult, of: 'appMicros' | 'valkeyMicros'): number {
  return clean[of].high * (1 - ASSUMED.tainting) + taint[of].high * ASSUMED.tainting;
}
