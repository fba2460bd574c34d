import type { Alarm, AlarmLogger } from '../contract/alarms.js';

const MESSAGES: Readonly<Record<string, string>> = {
  'session_store_failure load': 'session label load failed; failing request closed',
  'session_store_failure append': 'session label persist failed; failing request closed',
  session_store_regression: 'the session store has lost labels; appending them again',
  session_store_ttl_refresh_failed: 'TTL refresh on load failed; labels returned',
  session_missing:
    'request without a session added or read labels, passed a guard or was denied; its labels are not stored',
  session_unknown: 'a request was denied because its session is not enrolled',
  policy_error: 'policy could not be evaluated; request denied',
  policy_would_deny: 'a guard that observes would have denied a request',
  denial_not_rendered: 'denial could not be rendered; default denial sent',
  session_store_circuit_changed: 'circuit breaker of the session store changed its state',
  session_store_unsafe_eviction: 'the session store may evict labels',
  session_store_not_durable: 'the session store may lose labels in a crash',
  session_store_unsupported_server: 'the session store runs on an unsupported server',
  'session_store_recovered load': 'session label loads succeed again',
  'session_store_recovered append': 'session labels are persisted again',
  session_store_recovered: 'a failure of the session store is over',
  session_store_ttl_unsound: 'labels may expire before their session does; raise ttlSeconds',
};

/** Alarms of level error: a request was denied, or a label was not stored. All others are warnings. */
const ERRORS: ReadonlySet<Alarm['alarm']> = new Set([
  'session_store_failure',
  'session_store_regression',
  'policy_error',
  'denial_not_rendered',
]);

export function levelOf({ alarm }: Alarm): keyof AlarmLogger {
  return ERRORS.has(alarm) ? 'error' : 'warn';
}

export function messageFor(alarm: Alarm): string {
  return MESSAGES['op' in alarm ? `${alarm.alarm} ${alarm.op}` : alarm.alarm] ?? alarm.alarm;
}

/** The heading in docs/errors.md that says what to do: the heading of the error code if the alarm has one, else the heading of the alarm. */
export function helpFor(alarm: Alarm): string {
  // these two have a code that docs/errors.md does not explain: the code of an old failure, and the code of the app's violation
  const isOther = alarm.alarm === 'session_store_recovered' || alarm.alarm === 'policy_would_deny';
  const topic = !isOther && 'code' in alarm && alarm.code !== undefined ? alarm.code : alarm.alarm;
  return `express-apl-session/docs/errors.md#${topic.replaceAll('.', '')}`;
}
