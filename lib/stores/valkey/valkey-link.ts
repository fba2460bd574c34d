import type { AppendWithTtl } from './ttl-append.js';
import type { ValkeyClient } from './valkey-client.js';

/** The way to Valkey, as the store sees it. Nothing is dialled before the first call. */
export interface ValkeyLink {
  /** How its clients make a transaction. */
  readonly appendWithTtl: AppendWithTtl;

  /** The client, if it is ready for commands at this moment. */
  readyNow(): ValkeyClient | undefined;

  /** A client that is ready for commands; waits at most `connectTimeoutMs` for one. */
  ready(): Promise<ValkeyClient>;

  /**
   * Rejects if the server is a replica after the reads of this turn of the event loop. `undefined` where it would have
   * refused them itself. Costs no round trip: the question goes behind the reads.
   */
  stillPrimary(): Promise<void> | undefined;

  /** A command was not answered in time, or not by a primary. What follows must not pile up behind it, or go there. */
  reset(): void;

  close(): void;
}

/** Called once, before the first command of the first connection; what it sends leaves with that. */
export type OnFirstUse = (client: ValkeyClient) => void;
