import type { SelfCheckAlarm } from './check-server.js';

/** Remembers which warnings were raised, so that a reconnect does not raise them again. */
export class ServerWarnings {
  /** The texts of the warnings from the last check of each server. */
  readonly #known = new Map<string, readonly string[]>();

  /** Returns the warnings that neither the last check of this server nor another server of the cluster has raised. */
  news(alarms: readonly SelfCheckAlarm[], server: string): SelfCheckAlarm[] {
    const known = new Set([...this.#known.values()].flat());
    this.#known.set(
      server,
      alarms.map(({ error }) => error),
    );
    return alarms.filter(({ error }) => !known.has(error));
  }
}
