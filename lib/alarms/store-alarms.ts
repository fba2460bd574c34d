import type { AlarmLogger } from '../contract/alarms.js';
import type { SessionStore } from '../contract/session-store.js';
import { AlarmLog } from './alarm-log.js';
import { DefaultLogger } from './logger.js';
import { StoreFailures } from './store-failures.js';

/** What all alarm reporters of one store share: an app may call `openSession()` for every message. */
export class StoreAlarms {
  readonly failures = new StoreFailures();
  readonly #store: SessionStore;
  readonly #logs = new WeakMap<AlarmLogger, AlarmLog>();
  #defaultLogger: DefaultLogger | undefined;

  constructor(store: SessionStore) {
    this.#store = store;
  }

  /** The log on this logger, by default on winston. */
  logOn(given: AlarmLogger | undefined): AlarmLog {
    this.#defaultLogger ??= given ? undefined : new DefaultLogger();
    const logger = given ?? (this.#defaultLogger as DefaultLogger);
    const log = this.#logs.get(logger) ?? new AlarmLog(logger, () => this.#address());
    this.#logs.set(logger, log);
    return log;
  }

  /** Host and port of the primaries; before the first connection, the addresses in the options. */
  #address(): string | undefined {
    const { primaries = [], addresses = [] } = this.#store.status?.() ?? {};
    const known = primaries.length > 0 ? primaries : addresses;
    return known.length > 0 ? known.join(', ') : undefined;
  }
}
