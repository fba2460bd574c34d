import type { ValkeyConfig } from '../config/valkey-config.js';
import { askWithin } from '../connection/ask-within.js';
import { type ConnectionListener, ValkeyConnection } from '../connection/valkey-connection.js';
import type { ValkeySource } from '../connection/valkey-source.js';
import type { Reply } from '../protocol/resp-parser.js';
import type { ValkeyRequest } from '../protocol/valkey-request.js';
import { type NodeAddress, nameOf } from './node-address.js';

export type ClusterTimeouts = Pick<ValkeyConfig, 'connectTimeoutMs' | 'commandTimeoutMs'>;

/** One node of a cluster with its own connection, so that a node that hangs affects only its own slots. */
export class ClusterNode {
  readonly address: NodeAddress;
  readonly name: string;
  readonly connection: ValkeyConnection;
  readonly #commandTimeoutMs: number;

  constructor(address: NodeAddress, source: ValkeySource, timeouts: ClusterTimeouts, listener: ConnectionListener) {
    this.address = address;
    this.name = nameOf(address);
    this.connection = new ValkeyConnection(source, timeouts.connectTimeoutMs, listener);
    this.#commandTimeoutMs = timeouts.commandTimeoutMs;
  }

  /** Sends a request that is not part of a call. If the node does not answer in time, its connection is closed. */
  async ask(request: ValkeyRequest): Promise<readonly Reply[]> {
    const wire = this.connection.bareWireNow();
    return wire ? askWithin(wire, request, this.#commandTimeoutMs) : [];
  }
}
