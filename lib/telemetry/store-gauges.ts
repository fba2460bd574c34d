import type { SessionStore } from '../contract/session-store.js';
import type { StoreCircuit, StoreStatus } from '../contract/store-status.js';
import { invalidConfig } from '../options/invalid-config.js';
import { isSessionStore } from '../stores/session-store-registry.js';
import type { GaugeReading, Instruments } from './metric.js';
import { METRICS } from './metrics.js';

const CIRCUITS: readonly StoreCircuit[] = ['off', 'closed', 'open', 'half_open'];

export const STORE_HINT = 'Write store: aplSession.store, where aplSession is your aplSessionMiddleware().';

/** @throws AplSessionError `config.invalid` */
export function assertHasStatus(what: string, store: unknown): void {
  if (store === undefined) return;
  if (!isSessionStore(store)) throw invalidConfig(what, `'store' is not a SessionStore. ${STORE_HINT}`);
  if (store.status === undefined) {
    throw invalidConfig(
      what,
      "'store' has no method 'status', so it has no gauges; add the method, or leave 'store' out",
    );
  }
}

/** The gauges of a store. A store whose `status()` throws has no series, which an alert can find. */
export function storeGauges(store: SessionStore, instruments: Instruments): void {
  const reading = (read: (status: StoreStatus) => readonly GaugeReading[]) => (): readonly GaugeReading[] => {
    const status = statusOf(store);
    return status ? read(status) : [];
  };
  instruments.gauge(
    METRICS.connected,
    reading(({ connected }) => [{ value: connected ? 1 : 0, attributes: {} }]),
  );
  instruments.gauge(
    METRICS.circuit,
    reading(({ circuit }) =>
      circuit === undefined
        ? []
        : CIRCUITS.map((state) => ({ value: state === circuit ? 1 : 0, attributes: { state } })),
    ),
  );
}

function statusOf(store: SessionStore): StoreStatus | undefined {
  try {
    return store.status?.();
  } catch {
    return undefined;
  }
}
