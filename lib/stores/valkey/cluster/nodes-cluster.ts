import type { ServerList } from '../config/server-list.js';
import type { ValkeyTls } from '../config/valkey-tls.js';
import { endpointSource } from '../connection/endpoint-source.js';
import type { ClusterSettings } from './node-address.js';

/** The cluster of the nodes in the options. All nodes have the same TLS and the same login. */
export function nodesCluster({ addresses, ...access }: ServerList, tls: ValkeyTls | undefined): ClusterSettings {
  return {
    seeds: addresses,
    reachable: (address) => address,
    // a replica of a cluster redirects all calls to its primary
    source: (address) => ({ ...endpointSource({ ...address, ...access }, tls), acceptsReplica: true }),
  };
}
