import { ignoringErrors } from '../../alarms/ignoring-errors.js';
import type { Alarm, AlarmListener } from '../../contract/alarms.js';

/** The listeners for the alarms of a store. A listener that throws does not change the result of a call. */
export class AlarmListeners {
  readonly #listeners = new Set<AlarmListener>();

  add(listener: AlarmListener): void {
    this.#listeners.add(listener);
  }

  raise(alarm: Alarm): void {
    const frozen = Object.freeze(alarm);
    for (const listener of this.#listeners) ignoringErrors(() => listener(frozen));
  }
}
