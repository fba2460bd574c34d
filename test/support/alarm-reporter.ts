import { AlarmReporter, type ReporterOptions } from '../../lib/alarms/alarm-reporter.js';
import { StoreAlarms } from '../../lib/alarms/store-alarms.js';
import { EventStream } from '../../lib/events/event-stream.js';
import { MemorySessionStore } from '../../lib/index.js';

/** An alarm reporter, of a memory store unless the options have the alarms of another one. */
export function alarmReporter(options: Partial<ReporterOptions> = {}): AlarmReporter {
  return new AlarmReporter({
    logger: { warn() {}, error() {} },
    onAlarm: undefined,
    logIntervalMs: 10_000,
    shared: new StoreAlarms(new MemorySessionStore()),
    events: new EventStream('test'),
    ...options,
  });
}
