import type { ServerAddress } from '../config/server-list.js';
import type { ValkeySource } from '../connection/valkey-source.js';

/** The address of a node, as the other nodes see it or as a `natMap` translates it. */
export type NodeAddress = ServerAddress;

/** How to reach the nodes of a cluster. */
export interface ClusterSettings {
  /** Some nodes, from which the store learns the others. */
  readonly seeds: readonly NodeAddress[];
  /** Translates an address that a node has sent. */
  reachable(address: NodeAddress): NodeAddress;
  source(address: NodeAddress): ValkeySource;
}

/** The name of a node: its address. */
export function nameOf({ host, port }: NodeAddress): string {
  return `${host}:${port}`;
}

/** Parses `host:port`. A node that does not know its own host has the address at which it was asked. */
export function addressIn(name: string, asked: NodeAddress | undefined): NodeAddress | undefined {
  const colon = name.lastIndexOf(':');
  const port = Number(name.slice(colon + 1));
  if (colon < 0 || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  const host = name.slice(0, colon) || asked?.host;
  return host ? { host, port } : undefined;
}
