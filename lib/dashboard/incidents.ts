import type { PolicyWouldDeny, SessionStoreRecovered } from '../contract/alarms.js';
import type { AlarmEvent, DenialEvent } from '../contract/events.js';
import { wallClock } from '../util/clock.js';
import { BoundedRows } from './bounded-rows.js';
import { reasonOf } from './denial-reasons.js';

const MAX_ROWS = 100;
const MAX_REFUSED = 50;
const MAX_RECOVERIES = 20;

/** All times are milliseconds since 1970. */
interface DenialRow {
  readonly code: string;
  readonly route: string;
  readonly count: number;
  readonly lastAtMs: number;
}

interface RefusedRequest {
  readonly atMs: number;
  readonly route: string;
  readonly code: string;
  /** Absent for the codes of the app. */
  readonly reason?: string;
  readonly cut: boolean;
}

interface AlarmRow {
  readonly alarm: string;
  readonly op?: string;
  readonly code?: string;
  /** The route of the last one. */
  readonly route?: string;
  /** The text of the last one. */
  readonly error: string;
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** Set while the failure is over. */
  readonly recoveredAtMs?: number;
}

interface ObservedRow {
  readonly guard: string;
  readonly code: string;
  readonly route: string;
  readonly reason: string;
  readonly count: number;
  readonly lastAtMs: number;
}

interface Recovery {
  readonly atMs: number;
  readonly after: string;
  readonly op?: string;
  readonly failures: number;
  readonly durationMs: number;
}

export interface IncidentLists {
  readonly denials: readonly DenialRow[];
  readonly refused: readonly RefusedRequest[];
  readonly alarms: readonly AlarmRow[];
  readonly recoveries: readonly Recovery[];
  readonly observed: readonly ObservedRow[];
  /** How many rows of `denials`, `alarms` and `observed` were dropped, because there were too many. */
  readonly dropped: number;
}

/** What operators look for: denials, alarms, recoveries, and what guards in observe mode would have denied. Its size is bounded. */
export class Incidents {
  readonly #denials = new BoundedRows<DenialRow>(MAX_ROWS);
  readonly #alarms = new BoundedRows<AlarmRow>(MAX_ROWS);
  readonly #observed = new BoundedRows<ObservedRow>(MAX_ROWS);
  readonly #refused: RefusedRequest[] = [];
  readonly #recoveries: Recovery[] = [];
  #version = 0;

  /** Grows with each change. */
  get version(): number {
    return this.#version;
  }

  denial({ code, route, cut }: DenialEvent): void {
    const atMs = this.#changed();
    this.#denials.update([code, route], (earlier) => ({
      code,
      route,
      count: (earlier?.count ?? 0) + 1,
      lastAtMs: atMs,
    }));
    keep(this.#refused, { atMs, route, code, ...reasonOf(code), cut }, MAX_REFUSED);
  }

  alarm({ alarm }: AlarmEvent): void {
    const atMs = this.#changed();
    if (alarm.alarm === 'policy_would_deny') {
      this.#wouldDeny(alarm, atMs);
      return;
    }
    const { op, code, route, guard, state } = membersOf(alarm);
    this.#alarms.update([alarm.alarm, op, code, guard, state], (earlier) => ({
      alarm: alarm.alarm,
      ...(op !== undefined && { op }),
      ...(code !== undefined && { code }),
      ...(route !== undefined && { route }),
      error: alarm.error,
      count: (earlier?.count ?? 0) + 1,
      firstAtMs: earlier?.firstAtMs ?? atMs,
      lastAtMs: atMs,
    }));
  }

  recovery({ after, op, failures, durationMs }: SessionStoreRecovered): void {
    const atMs = this.#changed();
    this.#alarms.updateAll((row) => {
      const isOver = row.alarm === after && row.op === op && row.recoveredAtMs === undefined;
      return isOver ? { ...row, recoveredAtMs: atMs } : row;
    });
    keep(this.#recoveries, { atMs, after, ...(op && { op }), failures, durationMs }, MAX_RECOVERIES);
  }

  /** The newest rows come first. */
  lists(): IncidentLists {
    return {
      denials: this.#denials.list(),
      refused: this.#refused.toReversed(),
      alarms: this.#alarms.list(),
      recoveries: this.#recoveries.toReversed(),
      observed: this.#observed.list(),
      dropped: this.#denials.dropped + this.#alarms.dropped + this.#observed.dropped,
    };
  }

  #wouldDeny({ guard, code, route, error }: PolicyWouldDeny, atMs: number): void {
    this.#observed.update([guard, code, route], (earlier) => ({
      guard,
      code,
      route,
      reason: error,
      count: (earlier?.count ?? 0) + 1,
      lastAtMs: atMs,
    }));
  }

  #changed(): number {
    this.#version += 1;
    return wallClock();
  }
}

type SomeMembers = { readonly [Name in 'op' | 'code' | 'route' | 'guard' | 'state']?: string };

/** The members that some alarms have. */
function membersOf(alarm: object): SomeMembers {
  return alarm;
}

function keep<T>(list: T[], newest: T, max: number): void {
  list.push(newest);
  if (list.length > max) list.shift();
}
