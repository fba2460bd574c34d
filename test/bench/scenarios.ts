import type { RequestShape } from './load/request-source.js';

/** One line of the comparison: which process, and what it is asked. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** A file of `app/kinds`. */
  readonly kind: string;
  readonly shape: RequestShape;
}

export const POOL = 'pool';
export const POOL_SESSIONS = 1_000;
export const POOL_LABELS = ['PII', 'internal'] as const;

export const known = (path: string, pool = POOL, sessions = POOL_SESSIONS): RequestShape => ({
  path,
  session: 'pool',
  pool,
  sessions,
});
export const fresh = (path: string): RequestShape => ({ path, session: 'fresh' });

/** All scenarios. `cookies` are those of living sessions of express-session. */
export function allScenarios(cookies: readonly string[]): Scenario[] {
  const both = (kind: string, title: string): Scenario[] => [
    { name: `${kind}-clean`, title: `${title}, clean`, kind, shape: known('/clean') },
    { name: `${kind}-taint`, title: `${title}, tainting`, kind, shape: fresh('/taint') },
  ];
  const withCookie = (path: string): RequestShape => ({ path, session: 'cookie', cookies });
  const expressSession = 'express-session + connect-redis';
  return [
    { name: 'bare', title: 'bare Express', kind: 'bare', shape: known('/clean') },
    {
      name: 'sessionless',
      title: 'this package, no session',
      kind: 'valkey',
      shape: { path: '/clean', session: 'none' },
    },
    ...both('memory', 'this package, memory'),
    ...both('valkey', 'this package, Valkey'),
    {
      name: 'valkey-write-ahead',
      title: 'this package, Valkey, write-ahead',
      kind: 'valkey',
      shape: fresh('/write-ahead'),
    },
    ...both('floor', 'floor'),
    ...both('valkey-ttl', 'this package, Valkey with TTL'),
    ...both('floor-ttl', 'floor with TTL'),
    {
      name: 'session-touched',
      title: `${expressSession}, touched`,
      kind: 'express-session',
      shape: withCookie('/clean'),
    },
    { name: 'session-saved', title: `${expressSession}, saved`, kind: 'express-session', shape: withCookie('/taint') },
    { name: 'rate-limit', title: 'express-rate-limit + rate-limit-redis', kind: 'rate-limit', shape: known('/clean') },
  ];
}

/** What the summary compares: instructions and latency. */
export const COMPARED = [
  'sessionless',
  'valkey-clean',
  'valkey-taint',
  'floor-clean',
  'floor-taint',
  'session-touched',
  'session-saved',
  'rate-limit',
];

/** Scenarios whose slices are measured directly one after the other, each together with bare Express. */
export const GROUPS: ReadonlyArray<readonly string[]> = [
  ['valkey-clean', 'floor-clean', 'session-touched'],
  ['valkey-taint', 'floor-taint', 'session-saved'],
  ['valkey-ttl-clean', 'floor-ttl-clean', 'valkey-ttl-taint', 'floor-ttl-taint'],
  ['sessionless', 'memory-clean', 'memory-taint', 'rate-limit'],
];

export function withName(scenarios: readonly Scenario[], names: readonly string[]): Scenario[] {
  return names.flatMap((name) => scenarios.filter((scenario) => scenario.name === name));
}
