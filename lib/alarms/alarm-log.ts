import { AsyncResource } from 'node:async_hooks';
import type { Alarm, AlarmLogger, SessionStoreRecovered } from '../contract/alarms.js';
import { VERSION } from '../contract/version.js';
import { clearTimeout, now, setTimeout } from '../util/clock.js';
import { helpFor, levelOf, messageFor } from './alarm-text.js';
import { ignoringErrors } from './ignoring-errors.js';

/** An app with many routes, or with many names of open sessions, must not fill the memory during an outage. */
const MAX_KINDS = 100;
const MAX_ROUTES = 20;
const OTHER_ROUTES = 'other routes';
const DETAILS = ['op', 'code', 'guard', 'state', 'reason'] as const;

/** The alarms of one kind since its last line. */
interface Repeats {
  readonly timer: NodeJS.Timeout;
  readonly sinceMs: number;
  count: number;
  readonly routes: Map<string, number>;
  latest: Alarm;
}

/**
 * Writes alarms to a logger. The first alarm of a kind is a line at once. Later ones are counted, and each interval has one line
 * for all of them, so that an outage does not fill the disk. A kind is an alarm with its operation, code, guard, state and reason; one that is not about a request, with its text.
 */
export class AlarmLog {
  readonly #logger: AlarmLogger;
  readonly #addressOf: () => string | undefined;
  readonly #repeats = new Map<string, Repeats>();
  /** The timers must not run in the asynchronous context of the request that raises the first alarm. */
  readonly #context = new AsyncResource('express-apl-session.log');
  #lastRecovery: SessionStoreRecovered | undefined;

  /** @param addressOf returns host and port of the store, if it knows them */
  constructor(logger: AlarmLogger, addressOf: () => string | undefined) {
    this.#logger = logger;
    this.#addressOf = addressOf;
  }

  /** @param intervalMs how long later alarms of this kind are counted before they are logged */
  write(alarm: Alarm, intervalMs: number): void {
    if (alarm.alarm === 'session_store_recovered') {
      this.#writeRecovery(alarm);
      return;
    }
    const kind = this.#kindOf(alarm);
    const repeats = this.#repeats.get(kind);
    if (repeats) count(repeats, alarm);
    else {
      this.#line(alarm, messageFor(alarm), alarm);
      this.#begin(kind, alarm, intervalMs);
    }
  }

  /** Writes the lines now that are due at the end of their intervals. */
  flush(): void {
    for (const kind of [...this.#repeats.keys()]) this.#end(kind);
  }

  /** Several middlewares may report the same recovery. The failures before it have their line first. */
  #writeRecovery(recovery: SessionStoreRecovered): void {
    if (this.#lastRecovery === recovery) return;
    this.#lastRecovery = recovery;
    const { after, op } = recovery;
    for (const [kind, { latest }] of [...this.#repeats]) {
      if (latest.alarm === after && ('op' in latest ? latest.op : undefined) === op) this.#end(kind);
    }
    this.#line(recovery, messageFor(recovery), recovery);
  }

  #kindOf(alarm: Alarm): string {
    const text = 'route' in alarm ? [] : [alarm.error];
    const kind = [alarm.alarm, ...Object.values(detailsOf(alarm)), ...text].join(' ');
    return this.#repeats.has(kind) || this.#repeats.size < MAX_KINDS ? kind : alarm.alarm;
  }

  #begin(kind: string, latest: Alarm, intervalMs: number): void {
    const onTime = (): void => {
      const ended = this.#end(kind);
      if (ended && ended.count > 0) this.#begin(kind, ended.latest, intervalMs);
    };
    const timer = this.#context.runInAsyncScope(() => setTimeout(onTime, intervalMs).unref());
    this.#repeats.set(kind, { timer, sinceMs: now(), count: 0, routes: new Map(), latest });
  }

  /** Forgets a kind, and writes one line if alarms were counted. */
  #end(kind: string): Repeats | undefined {
    const repeats = this.#repeats.get(kind);
    if (!repeats) return undefined;
    clearTimeout(repeats.timer);
    this.#repeats.delete(kind);
    const { latest, count: repeated, routes, sinceMs } = repeats;
    if (repeated === 0) return repeats;
    const overMs = Math.round(now() - sinceMs);
    const message = `${messageFor(latest)} (${repeated} more in ${(overMs / 1_000).toFixed(1)} s)`;
    this.#line(latest, message, {
      alarm: latest.alarm,
      ...detailsOf(latest),
      repeated,
      overMs,
      ...(routes.size > 0 && { routes: Object.fromEntries(routes) }),
      error: latest.error,
    });
    return repeats;
  }

  #line(alarm: Alarm, message: string, fields: object): void {
    // not in one step: the line is needed also if the store cannot tell its address
    const store = ignoringErrors(this.#addressOf);
    const origin = { package: 'express-apl-session', version: VERSION, ...(store && { store }), help: helpFor(alarm) };
    ignoringErrors(() => this.#logger[levelOf(alarm)](message, Object.freeze({ ...fields, ...origin })));
  }
}

/** The members that, together with its name, make the kind of an alarm. */
function detailsOf(alarm: Alarm): Readonly<Record<string, string>> {
  const members = alarm as Partial<Record<(typeof DETAILS)[number], string>>;
  return Object.fromEntries(DETAILS.flatMap((name) => (members[name] === undefined ? [] : [[name, members[name]]])));
}

function count(repeats: Repeats, alarm: Alarm): void {
  repeats.count += 1;
  repeats.latest = alarm;
  if (!('route' in alarm)) return;
  const { routes } = repeats;
  const route = routes.has(alarm.route) || routes.size < MAX_ROUTES ? alarm.route : OTHER_ROUTES;
  routes.set(route, (routes.get(route) ?? 0) + 1);
}
