import type { Request } from 'express';
import type { Alarm, AlarmListener, AlarmLogger, SessionStoreFailure } from '../contract/alarms.js';
import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';
import type { EventStream } from '../events/event-stream.js';
import type { AlarmLog } from './alarm-log.js';
import { ignoringErrors } from './ignoring-errors.js';
import { errorText, withoutSecrets } from './redact.js';
import { routeName } from './route-name.js';
import type { StoreAlarms } from './store-alarms.js';
import type { StoreFailures } from './store-failures.js';

/** Where a failure happened, and which texts the alarm must not show. */
export interface AlarmScope {
  /** The request, or a name in place of a route. */
  readonly at: Request | string;
  /** The session's id and its labels. */
  readonly secrets: readonly string[];
  /** Texts of the request that the error must not show. The name of the route may be one of them, because the app has chosen it. */
  readonly hidden?: readonly string[];
  /** The id of the denial that answers the request, if there is one. */
  readonly instance?: string | undefined;
}

export interface ReporterOptions {
  readonly logger: AlarmLogger | undefined;
  readonly onAlarm: AlarmListener | undefined;
  readonly logIntervalMs: number;
  readonly shared: StoreAlarms;
  readonly events: EventStream;
}

/**
 * Reports failures as alarms: to the event stream, the listener and the log. Names the route, removes secrets and adds the code
 * of the error. Errors of the logger and the listener are ignored, so they cannot change what happens to a request.
 */
export class AlarmReporter {
  readonly events: EventStream;
  readonly #onAlarm: AlarmListener | undefined;
  readonly #log: AlarmLog;
  readonly #logIntervalMs: number;
  readonly #failures: StoreFailures;
  /** Stands for this reporter among all that wait for a recovery. */
  readonly #key: unknown;

  constructor({ logger, onAlarm, logIntervalMs, shared, events }: ReporterOptions) {
    this.events = events;
    this.#onAlarm = onAlarm;
    this.#log = shared.logOn(logger);
    this.#logIntervalMs = logIntervalMs;
    this.#failures = shared.failures;
    this.#key = onAlarm ?? this.#log;
  }

  /** Reports a complete alarm, for example one of a store. */
  readonly raise = (alarm: Alarm): void => {
    const frozen = Object.freeze(alarm);
    if (frozen.alarm === 'session_store_recovered') {
      if (this.events.has('recovery')) this.events.publish('recovery', { alarm: frozen });
    } else if (this.events.has('alarm')) this.events.publish('alarm', { alarm: frozen });
    ignoringErrors(() => this.#onAlarm?.(frozen));
    this.#log.write(frozen, this.#logIntervalMs);
  };

  /** Whether a load or an append of the store has failed, and its recovery was not reported. */
  get failuresLast(): boolean {
    return this.#failures.last;
  }

  /** Call it while `failuresLast` is true. */
  storeSucceeded(op: SessionStoreFailure['op']): void {
    this.#failures.succeeded(op);
  }

  /** Reports what waits for its time: recoveries, and the lines of the log. */
  flush(): void {
    this.#failures.settle();
    this.#log.flush();
  }

  storeFailure(
    op: SessionStoreFailure['op'],
    cause: unknown,
    scope: AlarmScope,
    response?: Required<Pick<SessionStoreFailure, 'decisionWasAllow' | 'bytesSent'>>,
  ): void {
    const code = codeOf(cause);
    this.raise({ alarm: 'session_store_failure', op, ...response, ...described(cause, scope), ...code });
    this.#failures.failed(op, code?.code, this.#key, this.raise);
  }

  regression(lostLabels: number, { at, secrets }: AlarmScope): void {
    this.raise({
      alarm: 'session_store_regression',
      route: routeOf({ at, secrets }),
      lostLabels,
      error:
        'The load did not return labels that the session had a short time ago. Check the store for a failover, a restart without its data, eviction, or a deleted key.',
    });
  }

  policyError(guard: string, cause: unknown, scope: AlarmScope): void {
    this.raise({ alarm: 'policy_error', guard, ...described(cause, scope), ...codeOf(cause) });
  }

  wouldDeny(guard: string, { code, reason }: Violation, scope: AlarmScope): void {
    this.raise({ alarm: 'policy_would_deny', guard, code, ...described(reason, scope) });
  }

  denialNotRendered(cause: unknown, scope: AlarmScope): void {
    this.raise({ alarm: 'denial_not_rendered', ...described(cause, scope) });
  }

  sessionUnknown(scope: AlarmScope): void {
    const error =
      'The session is not enrolled. It was never enrolled, it has expired, or the store has lost it. If this concerns many sessions, check whether the store was emptied.';
    this.raise({ alarm: 'session_unknown', ...described('', scope), error });
  }

  sessionMissing(reason: string, scope: AlarmScope): void {
    const { error: shown, ...others } = described(reason, scope);
    const error = `The request has no session: ${shown}.`;
    this.raise({ alarm: 'session_missing', ...others, reason: shown, error });
  }
}

interface Description {
  readonly route: string;
  readonly error: string;
  readonly instance?: string;
}

function described(error: unknown, { at, secrets, hidden = [], instance }: AlarmScope): Description {
  const route = routeOf({ at, secrets });
  return { route, error: errorText(error, [...secrets, ...hidden]), ...(instance !== undefined && { instance }) };
}

function routeOf({ at, secrets }: AlarmScope): string {
  return typeof at === 'string' ? withoutSecrets(at, secrets) : routeName(at, secrets);
}

function codeOf(error: unknown): { readonly code: string } | undefined {
  return error instanceof AplSessionError ? { code: error.code } : undefined;
}
