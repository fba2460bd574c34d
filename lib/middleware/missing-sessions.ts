import type { Request } from 'express';
import type { AlarmReporter } from '../alarms/alarm-reporter.js';
import { routeName } from '../alarms/route-name.js';
import { now } from '../util/clock.js';

/** How many routes are remembered. A client may bring names about, where a router has a parameter in its path. */
const MAX_ROUTES = 1_000;
/** Clients with and without a session may take turns on a route, and each change is told. */
const MAX_ALARMS_A_MINUTE = 60;
const MINUTE_MS = 60_000;

/**
 * Tells, for one mount, where labels and guards meet a request without a session: once a route and reason, until a
 * request on that route has a session, or the reason is another.
 */
export class MissingSessions {
  readonly #alarms: AlarmReporter;
  /** The reason that was told last, by route. Empty where nothing misses its session. */
  readonly #told = new Map<string, string>();
  #minute = { endsAtMs: 0, alarmsLeft: 0 };

  constructor(alarms: AlarmReporter) {
    this.#alarms = alarms;
  }

  /** Labels or a guard have met this request, which has no session. */
  missing(req: Request, reason: string, labels: Iterable<string>): void {
    const key = keyOf(req);
    // what is not told for lack of alarms is not remembered either, so the next request tells it
    if (this.#told.get(key) === reason || !this.#mayRaise()) return;
    this.#remember(key, reason);
    this.#alarms.sessionMissing(reason, { at: req, secrets: [...labels] });
  }

  /** The same, of a request that has its session. */
  found(req: Request): void {
    if (this.#told.size > 0) this.#told.delete(keyOf(req));
  }

  #remember(key: string, reason: string): void {
    this.#told.delete(key);
    this.#told.set(key, reason);
    if (this.#told.size <= MAX_ROUTES) return;
    const [oldest = ''] = this.#told.keys();
    this.#told.delete(oldest);
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

/** The route as it is, as it is only compared. A path may be as long as a client likes. */
function keyOf(req: Request): string {
  return routeName(req, []).slice(0, 256);
}
