import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../lib/valkey.js';

/** Deadlines for tests that are not about deadlines: the machine that runs them may be busy. */
export const PATIENT = { connectTimeoutMs: 2_000, commandTimeoutMs: 2_000 };

/**
 * Opens stores with the default options of a suite, and the options of a call. Call it in a `describe`: the stores are closed
 * after each test.
 */
export function openedStores(
  defaults: () => ValkeySessionStoreOptions,
): (options?: ValkeySessionStoreOptions) => ValkeySessionStore {
  const open: ValkeySessionStore[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((store) => store.close()));
  });
  return (options = {}) => {
    const store = new ValkeySessionStore({ ...defaults(), ...options });
    open.push(store);
    return store;
  };
}
