import type { ValkeyAsker } from '../protocol/valkey-wire.js';

/** The way to Valkey, as the store sees it. Nothing is dialled before the first call. */
export interface ValkeyLink {
  /** A connection for a key, if one is ready at this moment. Without a key, any connection will do. */
  wireNow(key: string | undefined): ValkeyAsker | undefined;

  /** A connection for a key; waits at most `connectTimeoutMs` for one. */
  wire(key: string | undefined): Promise<ValkeyAsker>;

  /** Where a call goes that a server of a cluster has refused so; `undefined` if the error is the call's own. */
  detour?(error: unknown, key: string | undefined): Detour | undefined;

  close(): void;
}

export interface Detour {
  /** Whether it is known where the call goes, so that it need not wait. */
  readonly isQuick: boolean;
  wire(): Promise<ValkeyAsker>;
}

/** Called for each connection, with the name of its server, before its first call; what it sends leaves with that. */
export type OnConnected = (wire: ValkeyAsker, server: string) => void;
