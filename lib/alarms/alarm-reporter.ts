import type { Request } from 'express';
import type { Alarm, AlarmListener, AlarmLogger, SessionStoreFailure } from '../contract/alarms.js';
import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';
import { DefaultLogger } from './logger.js';
import { errorText, withoutSecrets } from './redact.js';
import { routeName } from './route-name.js';

const MESSAGES: Readonly<Record<string, string>> = {
  'session_store_failure load': 'session label load failed; failing request closed',
  'session_store_failure append': 'session label persist failed; failing request closed',
  session_store_regression: 'the session store has lost labels; appending them again',
  session_store_ttl_refresh_failed: 'TTL refresh on load failed; labels returned',
  session_missing: 'request without a session added labels, passed a guard or was denied; its labels are not stored',
  session_unknown: 'a request was denied because its session is not enrolled',
  policy_error: 'policy could not be evaluated; request denied',
  policy_would_deny: 'a guard that observes would have denied a request',
  denial_not_rendered: 'denial could not be rendered; default denial sent',
  session_store_circuit_changed: 'circuit breaker of the session store changed its state',
  session_store_unsafe_eviction: 'the session store may evict labels',
  session_store_not_durable: 'the session store may lose labels in a crash',
  session_store_unsupported_server: 'the session store runs on an unsupported server',
  session_store_ttl_unsound: 'labels may expire before their session does; raise ttlSeconds',
};

/** Alarms of level error: a request was denied, or a label was not stored. All others are warnings. */
const ERRORS: ReadonlySet<Alarm['alarm']> = new Set([
  'session_store_failure',
  'session_store_regression',
  'policy_error',
  'denial_not_rendered',
]);

/** Where a failure happened, and which texts the alarm must not show. */
export interface AlarmScope {
  /** The request, or a name in place of a route. */
  readonly at: Request | string;
  /** The session's id and its labels. */
  readonly secrets: readonly string[];
  /** The id of the denial that answers the request, if there is one. */
  readonly instance?: string | undefined;
}

/**
 * Reports failures as alarms to the logger and the listener. Names the route, removes secrets and adds the code of the error.
 * Errors of the logger and the listener are ignored, so they cannot change what happens to a request.
 */
export class AlarmReporter {
  readonly #logger: AlarmLogger;
  readonly #onAlarm: AlarmListener | undefined;

  constructor(logger: AlarmLogger | undefined, onAlarm: AlarmListener | undefined) {
    this.#logger = logger ?? new DefaultLogger();
    this.#onAlarm = onAlarm;
  }

  /** Reports a complete alarm, for example one of a store. */
  readonly raise = (alarm: Alarm): void => {
    const frozen = Object.freeze(alarm);
    const level = ERRORS.has(alarm.alarm) ? 'error' : 'warn';
    ignoringErrors(() => this.#logger[level](messageFor(alarm), frozen));
    ignoringErrors(() => this.#onAlarm?.(frozen));
  };

  storeFailure(
    op: SessionStoreFailure['op'],
    cause: unknown,
    scope: AlarmScope,
    response?: Required<Pick<SessionStoreFailure, 'decisionWasAllow' | 'bytesSent'>>,
  ): void {
    this.raise({ alarm: 'session_store_failure', op, ...response, ...described(cause, scope), ...codeOf(cause) });
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

function described(error: unknown, { at, secrets, instance }: AlarmScope): Description {
  const route = routeOf({ at, secrets });
  return { route, error: errorText(error, secrets), ...(instance !== undefined && { instance }) };
}

function routeOf({ at, secrets }: AlarmScope): string {
  return typeof at === 'string' ? withoutSecrets(at, secrets) : routeName(at, secrets);
}

function codeOf(error: unknown): { readonly code: string } | undefined {
  return error instanceof AplSessionError ? { code: error.code } : undefined;
}

function messageFor(alarm: Alarm): string {
  return MESSAGES['op' in alarm ? `${alarm.alarm} ${alarm.op}` : alarm.alarm] ?? alarm.alarm;
}

function ignoringErrors(call: () => unknown): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(() => {});
  } catch {
    // an alarm that cannot be delivered must not change what happens to a request
  }
}
