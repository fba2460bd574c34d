import { clientCluster } from './cluster/client-cluster.js';
import { ClusterLink } from './cluster/cluster-link.js';
import type { ClusterSettings } from './cluster/node-address.js';
import { nodesCluster } from './cluster/nodes-cluster.js';
import type { ValkeyConfig } from './config/valkey-config.js';
import { clientSource } from './connection/client-source.js';
import { endpointSource } from './connection/endpoint-source.js';
import { ValkeyConnection } from './connection/valkey-connection.js';
import type { CallsOn, LinkedServer, LinkHooks, ValkeyLink } from './connection/valkey-link.js';
import type { ValkeySource } from './connection/valkey-source.js';
import { ReplicatedWire } from './durability/replicated-wire.js';
import { sentinelSource } from './sentinel/sentinel-source.js';

/** The part of `commandTimeoutMs` that a server may wait for replicas. An append may wait for two batches. */
const REPLICATION_SHARE = 0.4;

export interface ValkeyLinks {
  readonly loads: ValkeyLink;
  /** The same as `loads`, unless appends wait for replicas and loads do not. */
  readonly appends: ValkeyLink;
  /** The primaries of both links. */
  primaries(): readonly LinkedServer[];
}

export function linksTo(config: ValkeyConfig, hooks: Omit<LinkHooks, 'callsOn'>): ValkeyLinks {
  const { durability: { replicas, fencedReads } = {} } = config;
  const plain: CallsOn = (wire) => wire;
  const callsOn = replicas === undefined ? plain : replicated(config, replicas);
  const appends = linkTo(config, { ...hooks, callsOn });
  if (replicas === undefined || fencedReads) {
    return { appends, loads: appends, primaries: () => appends.primaries() };
  }
  const loads = linkTo(config, { ...hooks, callsOn: plain });
  return { appends, loads, primaries: () => [...loads.primaries(), ...appends.primaries()] };
}

function replicated({ commandTimeoutMs, keyPrefix }: ValkeyConfig, replicas: number): CallsOn {
  const timeoutMs = Math.max(1, Math.floor(commandTimeoutMs * REPLICATION_SHARE));
  return (wire, ownKey) =>
    // not a key of a session: those end with 64 hexadecimal digits
    new ReplicatedWire(wire, { replicas, timeoutMs, fenceKey: () => ownKey(`${keyPrefix}:fence`) });
}

/** Makes the link to the servers in the options: one connection to a primary, or one to each primary of a cluster. */
function linkTo(config: ValkeyConfig, hooks: LinkHooks): ValkeyLink {
  const single = (source: ValkeySource): ValkeyLink => {
    const connection: ValkeyConnection = new ValkeyConnection(source, config.connectTimeoutMs, {
      onConnected: (wire) => hooks.onConnected(wire, '', connection.wireNow() ?? wire),
      onTrouble: hooks.onTrouble,
      callsOn: (wire) => hooks.callsOn(wire, (prefix) => prefix),
    });
    return connection;
  };
  const cluster = (settings: ClusterSettings): ValkeyLink => new ClusterLink(settings, config, hooks);

  if ('endpoint' in config) return single(endpointSource(config.endpoint, config.tls));
  if ('sentinels' in config) return single(sentinelSource(config, config.connectTimeoutMs));
  if ('nodes' in config) return cluster(nodesCluster(config.nodes, config.tls));
  const { client } = config;
  return client.isCluster ? cluster(clientCluster(client)) : single(clientSource(client));
}
