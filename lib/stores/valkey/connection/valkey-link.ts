import type { ConnectionFailure } from '../protocol/store-error.js';
import type { ValkeyAsker, ValkeyWire } from '../protocol/valkey-wire.js';

/** The connection or connections to Valkey. They are opened at the first call. */
export interface ValkeyLink {
  /** Returns a connection for a key, if one is ready. Without a key, any connection is suitable. */
  wireNow(key: string | undefined): ValkeyAsker | undefined;

  /** Waits for a connection for a key, at most `connectTimeoutMs`. */
  wire(key: string | undefined): Promise<ValkeyAsker>;

  /** Returns where to send a call that a cluster node redirected; `undefined` if the error is not a redirect. */
  detour?(error: unknown, key: string | undefined): Detour | undefined;

  /** The known primaries, without any I/O. */
  primaries(): readonly LinkedServer[];

  /** Returns a key of each known primary, for calls to all of them. Only a cluster has several primaries. */
  keyOfEachPrimary?(): readonly string[];

  close(): void;
}

/** A primary, as `host:port`. The address is absent if only the client library knows it. */
export interface LinkedServer {
  readonly address?: string | undefined;
  readonly connected: boolean;
}

export interface Detour {
  /** Whether the node is known, so that the call can be sent without a pause. */
  readonly isQuick: boolean;
  wire(): Promise<ValkeyAsker>;
}

/**
 * Called for each new connection. `calls` is the connection that calls use: it may wait for confirmations. Runs before the first
 * call on the connection, so requests that it sends share a packet with that call.
 */
export type OnConnected = (wire: ValkeyAsker, server: string, calls: ValkeyAsker) => void;

/**
 * Makes from a new connection what calls use. `ownKey` returns a key with the prefix that the server of the connection has;
 * in a cluster that is not every key.
 */
export type CallsOn = (wire: ValkeyWire, ownKey: (prefix: string) => string) => ValkeyAsker;

/** Called when a connection was lost or an attempt failed, with the reason if it is known. */
export type OnTrouble = (failure: ConnectionFailure | undefined) => void;

export interface LinkHooks {
  readonly onConnected: OnConnected;
  readonly onTrouble: OnTrouble;
  readonly callsOn: CallsOn;
}
