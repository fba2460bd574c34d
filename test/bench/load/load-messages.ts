import type { RequestShape } from './request-source.js';

/** What the load process is told to do. One thing at a time. */
export type LoadCommand =
  | { readonly do: 'open'; readonly ports: readonly number[]; readonly connections: number }
  | { readonly do: 'saturate'; readonly shape: RequestShape; readonly durationMs: number }
  | { readonly do: 'pace'; readonly shape: RequestShape; readonly durationMs: number; readonly rate: number }
  | { readonly do: 'count'; readonly shape: RequestShape; readonly requests: number }
  | { readonly do: 'send'; readonly shape: RequestShape }
  | { readonly do: 'collect' }
  | { readonly do: 'close' };

export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  readonly seconds: number;
  /** CPU that the load process itself used, in microseconds. */
  readonly cpuMicros: number;
  /** In milliseconds, of paced requests only. */
  readonly latenciesMs: readonly number[];
}
