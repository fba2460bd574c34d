import type { Request } from 'express';
import type { AlarmReporter } from '../alarms/alarm-reporter.js';
import { routeName } from '../alarms/route-name.js';
import { now } from '../util/clock.js';

/** How many routes are remembered. Clients can create names if a router is mounted under a path with a parameter. */
const MAX_ROUTES = 1_000;
/** A route raises an alarm again after a request with a session, so a client could cause any number of alarms. */
const MAX_ALARMS_A_MINUTE = 60;
const MINUTE_MS = 60_000;

/**
 * Raises the alarm `session_missing` for one mount of the middleware: once for each route and reason, and again after a request
 * on the route had a session or another reason.
 */
export class MissingSessions {
  readonly #alarms: AlarmReporter;
  /** The last reported reason by route. */
  readonly #reported = new Map<string, string>();
  #minute = { endsAtMs: 0, alarmsLeft: 0 };

  constructor(alarms: AlarmReporter) {
    this.#alarms = alarms;
  }

  /** Whether a request with a session may change what is reported next. */
  get hasReported(): boolean {
    return this.#reported.size > 0;
  }

  /** A request without a session has added or read labels, passed a guard or was denied. */
  missing(req: Request, reason: string, labels: Iterable<string>, instance?: string): void {
    const key = keyOf(req);
    // a reason that the limit suppresses is not remembered, so that a later request reports it
    if (this.#reported.get(key) === reason || !this.#mayRaise()) return;
    this.#remember(key, reason);
    this.#alarms.sessionMissing(reason, { at: req, secrets: [...labels], instance });
  }

  /** A request has a session that is not enrolled. */
  unknown(req: Request, secrets: readonly string[], instance?: string): void {
    if (this.#mayRaise()) this.#alarms.sessionUnknown({ at: req, secrets, instance });
  }

  /** A request with a session: the next request without one raises an alarm again. */
  found(req: Request): void {
    if (this.#reported.size > 0) this.#reported.delete(keyOf(req));
  }

  #remember(key: string, reason: string): void {
    this.#reported.delete(key);
    this.#reported.set(key, reason);
    if (this.#reported.size <= MAX_ROUTES) return;
    const [oldest = ''] = this.#reported.keys();
    this.#reported.delete(oldest);
  }

  #mayRaise(): boolean {
    const nowMs = now();
    if (nowMs >= this.#minute.endsAtMs) {
      this.#minute = { endsAtMs: nowMs + MINUTE_MS, alarmsLeft: MAX_ALARMS_A_MINUTE };
    }
    this.#minute.alarmsLeft -= 1;
    return this.#minute.alarmsLeft >= 0;
  }
}

/** May hold secrets, so it is only compared. A client can send a path of any length. */
function keyOf(req: Request): string {
  return routeName(req, []).slice(0, 256);
}
