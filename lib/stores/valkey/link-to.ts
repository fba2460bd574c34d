import { clientSource } from './client-source.js';
import { ClusterLink } from './cluster-link.js';
import { endpointSource } from './endpoint-source.js';
import type { ValkeyConfig } from './valkey-config.js';
import { ValkeyConnection } from './valkey-connection.js';
import type { OnConnected, ValkeyLink } from './valkey-link.js';
import type { ValkeySource } from './valkey-source.js';

/** The way to what the configuration names. */
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
