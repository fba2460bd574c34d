import { ClusterLink } from './cluster/cluster-link.js';
import type { ValkeyConfig } from './config/valkey-config.js';
import { clientSource } from './connection/client-source.js';
import { endpointSource } from './connection/endpoint-source.js';
import { ValkeyConnection } from './connection/valkey-connection.js';
import type { OnConnected, ValkeyLink } from './connection/valkey-link.js';
import type { ValkeySource } from './connection/valkey-source.js';

/** Makes the link to the endpoint, the server of the client, or the cluster in the options. */
export function linkTo(config: ValkeyConfig, onConnected: OnConnected): ValkeyLink {
  if (!('client' in config)) return single(endpointSource(config.endpoint, config.tls), config, onConnected);
  const { client } = config;
  return client.isCluster
    ? new ClusterLink(client, config, onConnected)
    : single(clientSource(client), config, onConnected);
}

function single(source: ValkeySource, { connectTimeoutMs }: ValkeyConfig, onConnected: OnConnected): ValkeyLink {
  return new ValkeyConnection(source, connectTimeoutMs, { onConnected: (wire) => onConnected(wire, '') });
}
