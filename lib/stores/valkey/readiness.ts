import { labelsIn, loadCommand } from './calls/label-commands.js';
import { ping } from './calls/ping.js';
import type { ValkeyCaller } from './calls/valkey-caller.js';
import type { ValkeyConfig } from './config/valkey-config.js';
import type { ValkeyLink } from './connection/valkey-link.js';
import type { SyncedServer } from './durability/synced-server.js';
import { keyOf } from './label-calls.js';
import type { ValkeyLinks } from './link-to.js';
import { requestOf } from './protocol/valkey-request.js';
import type { ValkeyAsker } from './protocol/valkey-wire.js';

/** The probe behind each request is enough to prove a connection. */
const NOTHING = requestOf();

interface ReadinessOptions {
  readonly config: ValkeyConfig;
  readonly links: ValkeyLinks;
  readonly caller: ValkeyCaller;
  /** Set with `durability.local`. */
  readonly synced: SyncedServer | undefined;
}

/** Proves that loads and appends can succeed: `ready()` before the first request, `ping()` for health checks. */
export class Readiness {
  readonly #options: ReadinessOptions;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  async ready(): Promise<void> {
    const { config, caller, links } = this.#options;
    const { loads, appends } = links;
    const key = keyOf(config, '');
    const command = async (wire: ValkeyAsker): Promise<void> => {
      labelsIn(await wire.ask(loadCommand(key)), config.maxLabelsPerSession);
    };
    await Promise.all([caller.call({ name: 'load', link: loads, key, command }), this.#connect(appends, key)]);
    await Promise.all([loads, appends].flatMap((link) => keysIn(link).map((each) => this.#connect(link, each))));
  }

  /** Returns how long the slowest primary took, in milliseconds. */
  async ping(): Promise<number> {
    const { config, links } = this.#options;
    const confirm = (wire: ValkeyAsker): Promise<void> => this.#confirm(wire);
    const confirmed = config.durability ? [ping(links.appends, config, confirm)] : [];
    return Math.max(...(await Promise.all([ping(links.loads, config), ...confirmed])));
  }

  /** Connects to the server of a key. For appends it also proves that the server can confirm them. */
  #connect(link: ValkeyLink, key: string): Promise<void> {
    const { caller, links } = this.#options;
    const isPlain = link !== links.appends;
    const command = (wire: ValkeyAsker) => (isPlain ? wire.ask(NOTHING).then(() => {}) : this.#confirm(wire));
    return caller.call({ name: 'connection', link, key, command });
  }

  /** Proves that the server can confirm an append now. */
  async #confirm(wire: ValkeyAsker): Promise<void> {
    await wire.ask(NOTHING);
    await this.#options.synced?.assertSynced(wire);
  }
}

/** A key of each primary; only a cluster has several. */
function keysIn(link: ValkeyLink): readonly string[] {
  return link.keyOfEachPrimary?.() ?? [];
}
