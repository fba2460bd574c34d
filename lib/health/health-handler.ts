import type { RequestHandler, Response } from 'express';
import type { SessionStore } from '../contract/session-store.js';
import type { StoreFinding, StoreStatus } from '../contract/store-status.js';
import { type HealthHandlerOptions, type HealthSettings, parseHealthOptions } from './health-options.js';
import { type ProbeResult, StoreProbe } from './store-probe.js';

/** The answer as JSON. */
interface Health {
  readonly status: 'ok' | 'degraded' | 'failing';
  readonly [member: string]: unknown;
}

/**
 * Creates a handler for the health checks of a platform. Its probe is one load of a key that does not exist: it raises no alarm,
 * does not count for the circuit breaker, and its result is used again for `cacheMs`, so it can be asked often. Mount it before
 * the middleware and before the authentication.
 *
 * The body is JSON: `status` (`ok`, `degraded` or `failing`), `store` (`reachable` or `unreachable`), `lastAppend`, `circuit` and
 * `selfCheck`. It holds no credential, session id or label. `degraded` is answered with 200: the store has refused the last append,
 * but requests that add no label are served.
 *
 * @throws AplSessionError `config.invalid`
 *
 * @example
 * app.get('/readyz', healthHandler({ store: aplSession.store }));
 * app.get('/livez', healthHandler({ store: aplSession.store, probe: 'live' }));
 */
export function healthHandler(options: HealthHandlerOptions): RequestHandler {
  const settings = parseHealthOptions(options);
  if (settings.probe === 'live') return (_req, res) => answer(res, liveness(settings));
  const probe = new StoreProbe(settings.store, settings.cacheMs);
  return (_req, res, next) => {
    probe
      .result()
      .then((result) => answer(res, readiness(settings, result)))
      .catch(next);
  };
}

function liveness({ store, details }: HealthSettings): Health {
  return { status: 'ok', ...(details && { details: statusOf(store) }) };
}

function readiness({ store, details }: HealthSettings, result: ProbeResult): Health {
  const status = statusOf(store);
  const { circuit, lastAppend, findings = [] } = status ?? {};
  const isReady = result.reachable && circuit !== 'open';
  return {
    status: isReady ? (lastAppend === 'failed' ? 'degraded' : 'ok') : 'failing',
    store: result.reachable ? 'reachable' : 'unreachable',
    ...(lastAppend !== undefined && { lastAppend }),
    ...(circuit !== undefined && { circuit }),
    ...(findings.length > 0 && { selfCheck: worstOf(findings) }),
    ...(details && { details: { probe: result, ...status } }),
  };
}

/** A store of the app may have a status() that throws. The probe has decided already. */
function statusOf(store: SessionStore): StoreStatus | undefined {
  try {
    return store.status?.();
  } catch {
    return undefined;
  }
}

function worstOf(findings: readonly StoreFinding[]): StoreFinding['status'] {
  const found = new Set(findings.map(({ status }) => status));
  if (found.has('warning')) return 'warning';
  return found.has('unknown') ? 'unknown' : 'ok';
}

function answer(res: Response, health: Health): void {
  res.statusCode = health.status === 'failing' ? 503 : 200;
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Cache-Control', 'no-store');
  res.end(JSON.stringify(health));
}
