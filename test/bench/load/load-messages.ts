import type { RequestShape } from './request-source.js';

/** What the load process is told to do. One thing at a time. */
export type LoadCommand =
  | { readonly do: 'open'; readonly ports: readonly number[]; readonly connections: number }
  | { readonly do: 'saturate'; readonly shape: RequestShape; readonly durationMs: number }
  | { readonly do: 'pairs'; readonly sides: readonly [Side, Side]; readonly durationMs: number; readonly rate: number }
  | { readonly do: 'count'; readonly shape: RequestShape; readonly requests: number }
  | { readonly do: 'send'; readonly shape: RequestShape }
  | { readonly do: 'collect' }
  | { readonly do: 'close' };

/** One of the two apps that get the same number of requests. */
export interface Side {
  readonly port: number;
  readonly shape: RequestShape;
}

/** The latencies of two requests that were sent one directly after the other, in milliseconds, in the order of the sides. */
export type Pair = readonly [first: number, second: number];

export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  readonly seconds: number;
  /** CPU that the load process itself used, in microseconds. */
  readonly cpuMicros: number;
  readonly pairs: readonly Pair[];
}
