import { randomBytes } from 'node:crypto';
import { AplSessionError } from '../../contract/errors.js';
import { resultOf } from '../../stores/valkey/protocol/reply-error.js';
import { requestOf } from '../../stores/valkey/protocol/valkey-request.js';
import type { Servers } from '../target/servers.js';

/** The key of a session ends with this many hexadecimal digits. */
const DIGITS = 64;
const MARK = 'capacity:';
const BATCH = 100;

/** Keys as long as the keys of sessions, and under the same prefix, so that the same rights suffice. No session has them. */
export class ProbeKeys {
  static readonly TTL_SECONDS = 60;
  readonly #servers: Servers;
  readonly #taken: string[] = [];

  constructor(servers: Servers) {
    this.#servers = servers;
  }

  /** New keys, which are removed at the end. */
  take(count: number): string[] {
    const { keyPrefix } = this.#servers.config;
    const digits = DIGITS - MARK.length;
    const keys = Array.from(
      { length: count },
      () =>
        `${keyPrefix}:${MARK}${randomBytes(DIGITS / 2)
          .toString('hex')
          .slice(0, digits)}`,
    );
    this.#taken.push(...keys);
    return keys;
  }

  /** Removes all keys. Returns `expiring` if the user has no right to do that; then they expire. */
  async remove(): Promise<'removed' | 'expiring'> {
    while (this.#taken.length > 0) {
      const batch = this.#taken.splice(-BATCH);
      try {
        await Promise.all(batch.map((key) => this.#delete(key)));
      } catch (error) {
        if (error instanceof AplSessionError && error.code === 'store.not_permitted') return 'expiring';
        throw error;
      }
    }
    return 'removed';
  }

  #delete(key: string): Promise<unknown> {
    return this.#servers.run('removal of a probe key', key, async (wire) => {
      const [count] = await wire.ask(requestOf(['del', key]));
      return resultOf(count);
    });
  }
}
