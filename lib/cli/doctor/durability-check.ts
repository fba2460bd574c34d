import type { ValkeySessionStoreOptions } from '../../stores/valkey/config/valkey-config.js';
import type { ValkeyDurabilityOptions } from '../../stores/valkey/config/valkey-durability.js';
import { ValkeySessionStore } from '../../stores/valkey/valkey-session-store.js';
import { failedCall } from './failed-connection.js';
import type { LocalFinding } from './finding.js';

/** A store with the `durability` of the app. It proves that appends can be confirmed, as `ready()` does in the app. */
export class DurabilityCheck {
  readonly durability: ValkeyDurabilityOptions;
  readonly #store: ValkeySessionStore;

  /** @throws AplSessionError `config.invalid` */
  constructor(options: ValkeySessionStoreOptions, durability: ValkeyDurabilityOptions) {
    this.durability = durability;
    this.#store = new ValkeySessionStore({ ...options, durability });
  }

  async run(): Promise<LocalFinding> {
    const name = 'durability';
    const { local, replicas } = this.durability;
    const places = [...(local ? ['the disk'] : []), ...(replicas ? [`${replicas} replicas`] : [])];
    try {
      await this.#store.ready();
      return { name, status: 'ok', detail: `an append is confirmed by ${places.join(' and ')}` };
    } catch (error) {
      return failedCall(name, error);
    } finally {
      await this.#store.close();
    }
  }
}
