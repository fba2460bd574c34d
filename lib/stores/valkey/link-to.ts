import { clientCluster } from './cluster/client-cluster.js';
import { ClusterLink } from './cluster/cluster-link.js';
import type { ClusterSettings } from './cluster/node-address.js';
import { nodesCluster } from './cluster/nodes-cluster.js';
import type { ValkeyConfig } from './config/valkey-config.js';
import { clientSource } from './connection/client-source.js';
import { endpointSource } from './connection/endpoint-source.js';
import { ValkeyConnection } from './connection/valkey-connection.js';
import type { OnConnected, OnTrouble, ValkeyLink } from './connection/valkey-link.js';
import type { ValkeySource } from './connection/valkey-source.js';
import { sentinelSource } from './sentinel/sentinel-source.js';

/** Makes the link to the servers in the options: one connection to a primary, or one to each primary of a cluster. */
export function linkTo(config: ValkeyConfig, onConnected: OnConnected, onTrouble: OnTrouble): ValkeyLink {
  const single = (source: ValkeySource): ValkeyLink =>
    new ValkeyConnection(source, config.connectTimeoutMs, { onConnected: (wire) => onConnected(wire, ''), onTrouble });
  const cluster = (settings: ClusterSettings): ValkeyLink => new ClusterLink(settings, config, onConnected, onTrouble);

  if ('endpoint' in config) return single(endpointSource(config.endpoint, config.tls));
  if ('sentinels' in config) return single(sentinelSource(config, config.connectTimeoutMs));
  if ('nodes' in config) return cluster(nodesCluster(config.nodes, config.tls));
  const { client } = config;
  return client.isCluster ? cluster(clientCluster(client)) : single(clientSource(client));
}
