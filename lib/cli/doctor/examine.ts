import { randomBytes } from 'node:crypto';
import type { ServerAddress } from '../../stores/valkey/config/server-list.js';
import type { ValkeyConfig } from '../../stores/valkey/config/valkey-config.js';
import type { ValkeyTls } from '../../stores/valkey/config/valkey-tls.js';
import { nameOf } from '../../stores/valkey/sentinel/sentinel-vote.js';
import { now } from '../../util/clock.js';
import type { Servers } from '../target/servers.js';
import { checkAddress } from './address-check.js';
import { coverageOf } from './cluster-check.js';
import { failedCall } from './failed-connection.js';
import { at, type Finding } from './finding.js';
import { examinePrimary, type Primary, type PrimaryOptions } from './primary-check.js';
import { checkSentinels } from './sentinel-check.js';
import { connectionOf } from './timing-checks.js';

/** The options that do not depend on the primary. */
export type ExamineOptions = Omit<PrimaryOptions, 'probeKey' | 'keyPrefix' | 'isCluster' | 'waits' | 'needsReplica'>;

/** Runs all checks: the listed addresses, the Sentinels, then every primary. */
export async function examine(servers: Servers, options: ExamineOptions): Promise<Finding[]> {
  const { config } = servers;
  const { addresses, tls } = listedIn(config);
  const listed = await Promise.all(addresses.map((address) => findingsAt(address, tls)));
  const findings = listed.flat();
  const isReachable = listed.some((each) => each.every(({ status }) => status !== 'failure'));
  // the store would try again and again until its deadline
  if (!isReachable) return findings;
  const addressed = addresses.length === 1 ? findings : findings.map(asWarning);
  if (!('sentinels' in config)) {
    const server = 'nodes' in config ? 'Cluster' : addresses.map(nameOf).join();
    return [...addressed, ...(await examineServers(servers, server, options))];
  }
  const { findings: votes, primary } = await checkSentinels(config);
  if (!primary) return [...addressed, ...votes];
  const behind = await findingsAt(primary, config.primary.tls ? (config.tls ?? {}) : undefined);
  return [...addressed, ...votes, ...behind, ...(await examineServers(servers, nameOf(primary), options))];
}

interface Listed {
  readonly addresses: readonly ServerAddress[];
  readonly tls: ValkeyTls | undefined;
}

function listedIn(config: ValkeyConfig): Listed {
  if ('client' in config) return { addresses: [], tls: undefined };
  const details = config.tls ?? {};
  if ('endpoint' in config) return { addresses: [config.endpoint], tls: config.endpoint.tls ? details : undefined };
  const { addresses, tls } = 'sentinels' in config ? config.sentinels : config.nodes;
  return { addresses, tls: tls ? details : undefined };
}

async function findingsAt(address: ServerAddress, tls: ValkeyTls | undefined): Promise<Finding[]> {
  return at(nameOf(address), await checkAddress(address, tls));
}

/** One of several listed servers may be down without a consequence for requests. */
function asWarning(finding: Finding): Finding {
  return finding.status === 'failure' ? { ...finding, status: 'warning' } : finding;
}

async function examineServers(servers: Servers, server: string, options: ExamineOptions): Promise<Finding[]> {
  const { config } = servers;
  const isCluster = 'nodes' in config;
  const startedMs = now();
  try {
    await servers.ask('connection', undefined);
  } catch (error) {
    return at(server, [failedCall('connection', error)]);
  }
  const whole = [connectionOf(now() - startedMs, options)];
  if (isCluster) {
    const [slots] = await servers.ask('map of the slots', undefined, ['cluster', 'slots']);
    whole.push(coverageOf(slots));
  }
  const primaries = servers.keyOfEachPrimary().map(async (key) => {
    const primary: Primary = {
      ask: (name, ...commands) => servers.ask(name, key, ...commands),
      run: (name, command) => servers.run(name, key, command),
    };
    const findings = await examinePrimary(primary, {
      ...options,
      keyPrefix: config.keyPrefix,
      isCluster,
      waits: options.durable?.durability.replicas !== undefined,
      needsReplica: !('endpoint' in config),
      // without a TTL the key stays, so it must be the same key each time
      probeKey: `${config.keyPrefix}:doctor:{${key}}${options.withTtl ? randomBytes(8).toString('hex') : ''}`,
    });
    return at(servers.nameOf(key) ?? server, findings);
  });
  const examined = (await Promise.all(primaries)).flat();
  const durable = options.durable ? [await options.durable.run()] : [];
  return [...at(server, whole), ...examined, ...at(server, durable)];
}
