import type { CrashEvent } from './crash-event.js';
import { FAILOVER_EVENTS } from './failover-events.js';
import { SINGLE_SERVER_EVENTS } from './single-server-events.js';

/** The rows of the table. */
export const CRASH_EVENTS: readonly CrashEvent[] = [...SINGLE_SERVER_EVENTS, ...FAILOVER_EVENTS];
