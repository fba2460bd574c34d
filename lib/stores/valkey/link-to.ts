import { clientSource } from './client-source.js';
import { endpointSource } from './endpoint-source.js';

import type { ValkeyConfig } from './valkey-config.js';
import { ValkeyConnection } from './valkey-connection.js';
import type { OnConnected, ValkeyLink } from './valkey-link.js';

/** The way to what the configuration names. */
export function linkTo(config: ValkeyConfig, onConnected: OnConnected): ValkeyLink {
  if ('client' in config && config.client.isCluster) throw new Error('todo');
  if ('client' in config && config.client.isCluster) throw new Error('x');
  const source = 'client' in config ? clientSource(config.client) : endpointSource(config.endpoint, config.tls);
  return new ValkeyConnection(source, config.connectTimeoutMs, { onConnected: (wire) => onConnected(wire, '') });
}
