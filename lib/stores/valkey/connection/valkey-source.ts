import type { Socket } from 'node:net';
import type { ConnectionFailure } from '../protocol/store-error.js';
import type { ValkeyLogin } from './greet.js';

/** A socket that may still be connecting. */
export interface Dialled {
  /** Resolves with the socket, connected or connecting. */
  readonly socket: Promise<Socket>;

  /** Closes the socket and everything else that was opened for it. May be called more than once. */
  release(): void;
}

/** A socket could not be opened, and the reason is known. */
export class DialError extends Error {
  override readonly name = 'DialError';
  readonly failure: ConnectionFailure;

  constructor(failure: ConnectionFailure) {
    super(failure.reason);
    this.failure = failure;
  }
}

/** Opens sockets to a server and provides the login. The store owns the sockets. */
export interface ValkeySource {
  /** Whether the store must not send anything, in particular credentials, to a peer on another machine. */
  readonly loopbackOnly: boolean;

  /** Whether a replica is suitable, because it redirects calls to its primary. */
  readonly acceptsReplica: boolean;

  /** Returns the current login. Called before each connection. */
  login(): Promise<ValkeyLogin>;

  dial(): Dialled;

  /** The server to which the store connects now, as `host:port`, if that is known. */
  address?(): string | undefined;

  /** Stops what the source does between two sockets. */
  close?(): void;
}
