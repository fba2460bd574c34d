import type { Socket } from 'node:net';
import type { ValkeyLogin } from './valkey-greeting.js';

/** A socket on its way. */
export interface Dialled {
  /** The socket, connected or connecting. */
  readonly socket: Promise<Socket>;

  /** Ends all that was opened for it, the socket included. May be called more than once. */
  release(): void;
}

/** Where connections come from, and as whom each logs in. Its sockets belong to the store. */
export interface ValkeySource {
  /** Whether a peer that is not on this machine must be told nothing, a credential least of all. */
  readonly loopbackOnly: boolean;

  /** Whether a replica will do, because it sends calls to its primary. */
  readonly acceptsReplica: boolean;

  /** The login of this moment, asked for before each connection. */
  login(): Promise<ValkeyLogin>;

  dial(): Dialled;
}
