import { ValkeyCaller } from '../../stores/valkey/calls/valkey-caller.js';
import {
  parseValkeyConfig,
  type ValkeyConfig,
  type ValkeySessionStoreOptions,
} from '../../stores/valkey/config/valkey-config.js';
import type { ValkeyLink } from '../../stores/valkey/connection/valkey-link.js';
import { linksTo } from '../../stores/valkey/link-to.js';
import type { Reply } from '../../stores/valkey/protocol/resp-parser.js';
import { requestOf } from '../../stores/valkey/protocol/valkey-request.js';
import type { ValkeyAsker } from '../../stores/valkey/protocol/valkey-wire.js';

/** Longer than in an app: the commands report that a server is slow, and do not fail because of it. */
export const PATIENCE = { connectTimeoutMs: 3_000, commandTimeoutMs: 5_000 };

/** The connections of a command. They are connections of the store, with its rules for TLS, logins, redirects and replies. */
export class Servers {
  readonly config: ValkeyConfig;
  readonly #link: ValkeyLink;
  readonly #caller: ValkeyCaller;
  readonly #names = new WeakMap<ValkeyAsker, string>();

  /** @throws AplSessionError `config.invalid` */
  constructor(options: ValkeySessionStoreOptions) {
    this.config = parseValkeyConfig({ ...options, ...PATIENCE });
    // without `durability` loads and appends share one link
    this.#link = linksTo(this.config, {
      onConnected: (wire, name) => void this.#names.set(wire, name),
      onTrouble: () => {},
    }).loads;
    this.#caller = new ValkeyCaller(
      this.config,
      () => {},
      () => {},
    );
  }

  /** Rejects with an AplSessionError. Error replies are among the replies. */
  ask(name: string, key: string | undefined, ...commands: ReadonlyArray<readonly string[]>): Promise<readonly Reply[]> {
    return this.run(name, key, (wire) => wire.ask(requestOf(...commands)));
  }

  run<T>(name: string, key: string | undefined, command: (wire: ValkeyAsker) => Promise<T>): Promise<T> {
    return this.#caller.call({ name, link: this.#link, ...(key !== undefined && { key }), command });
  }

  /** A key of each primary that is known after the first call. In the braces of another key, it leads to the same primary. */
  keyOfEachPrimary(): readonly string[] {
    return this.#link.keyOfEachPrimary?.() ?? ['0'];
  }

  /** `host:port` of the primary of a key in a cluster, if it is connected; otherwise `undefined`. */
  nameOf(key: string): string | undefined {
    const wire = this.#link.wireNow(key);
    return (wire && this.#names.get(wire)) || undefined;
  }

  close(): void {
    this.#link.close();
  }
}
