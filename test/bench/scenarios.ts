import type { RequestShape } from './load/request-source.js';

/** One line of the comparison: which process, and what it is asked. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** A file of `app/kinds`. */
  readonly kind: string;
  readonly shape: RequestShape;
  /** What the same answer costs without the middleware, or without the part of it that is compared; default `bare`. */
  readonly baseline?: string;
}

export const POOL = 'pool';
export const POOL_SESSIONS = 1_000;
export const POOL_LABELS = ['PII', 'internal'] as const;
export const STREAM_CHUNKS = 16;

const known = (path: string): RequestShape => ({ path, session: 'pool', pool: POOL, sessions: POOL_SESSIONS });
const fresh = (path: string): RequestShape => ({ path, session: 'fresh' });

/** The main comparison. `cookies` belong to living sessions of express-session. */
export function mainScenarios(cookies: readonly string[]): Scenario[] {
  const ours = (kind: string, what: string): Scenario[] => [
    { name: `${kind}-clean`, title: `${what}, clean`, kind, shape: known('/clean') },
    { name: `${kind}-taint`, title: `${what}, tainting`, kind, shape: fresh('/taint') },
  ];
  const stream = `/stream/${STREAM_CHUNKS}`;
  const taintStream = `/taint-stream/${STREAM_CHUNKS}`;
  return [
    { name: 'bare', title: 'bare Express', kind: 'bare', shape: known('/clean') },
    {
      name: 'sessionless',
      title: 'this package, no session',
      kind: 'valkey',
      shape: { path: '/clean', session: 'none' },
    },
    ...ours('memory', 'this package, memory'),
    ...ours('valkey', 'this package, Valkey'),
    {
      name: 'valkey-write-ahead',
      title: 'this package, Valkey, write-ahead',
      kind: 'valkey',
      shape: fresh('/write-ahead'),
    },
    ...ours('valkey-context', 'this package, Valkey, context').map((scenario) => ({
      ...scenario,
      baseline: scenario.name.replace('-context', ''),
    })),
    ...ours('floor', 'floor'),
    ...ours('valkey-ttl', 'this package, Valkey, TTL'),
    ...ours('floor-ttl', 'floor, TTL'),
    {
      name: 'express-session-touched',
      title: 'express-session + connect-redis, touched',
      kind: 'express-session',
      shape: { path: '/clean', session: 'cookie', cookies },
    },
    {
      name: 'express-session-saved',
      title: 'express-session + connect-redis, saved',
      kind: 'express-session',
      shape: { path: '/taint', session: 'cookie', cookies },
    },
    {
      name: 'rate-limit',
      title: 'express-rate-limit + rate-limit-redis',
      kind: 'rate-limit',
      shape: known('/clean'),
    },
    { name: 'bare-stream', title: 'bare Express, stream', kind: 'bare', shape: known(stream) },
    {
      name: 'valkey-stream',
      title: 'this package, Valkey, tainting stream',
      kind: 'valkey',
      shape: fresh(taintStream),
      baseline: 'bare-stream',
    },
    {
      name: 'floor-stream',
      title: 'floor, tainting stream',
      kind: 'floor',
      shape: fresh(taintStream),
      baseline: 'bare-stream',
    },
  ];
}

export function baselineOf(scenario: Scenario): string {
  return scenario.baseline ?? 'bare';
}
