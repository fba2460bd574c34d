import type { Alarm } from '../../lib/contract/alarms.js';
import type { SessionStore } from '../../lib/contract/session-store.js';

const SELF_CHECK: ReadonlySet<Alarm['alarm']> = new Set([
  'session_store_unsafe_eviction',
  'session_store_not_durable',
  'session_store_unsupported_server',
]);

/** Whether calls brought an alarm about, and not the state of the test server, which keeps nothing on disk. */
export function isOfCalls({ alarm }: Alarm): boolean {
  return !SELF_CHECK.has(alarm);
}

/** Collects the alarms that calls of a store bring about. */
export function alarmsOf(store: SessionStore): Alarm[] {
  const alarms: Alarm[] = [];
  store.onAlarm?.((alarm) => {
    if (isOfCalls(alarm)) alarms.push(alarm);
  });
  return alarms;
}
