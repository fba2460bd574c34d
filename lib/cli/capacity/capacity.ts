import { appendCommand, assertAppended } from '../../stores/valkey/calls/label-commands.js';
import { resultOf } from '../../stores/valkey/protocol/reply-error.js';
import { requestOf } from '../../stores/valkey/protocol/valkey-request.js';
import type { Servers } from '../target/servers.js';
import { Interrupted } from '../terminal/terminal.js';
import { ProbeKeys } from './probe-keys.js';

/**
 * What a key with a TTL costs beyond `MEMORY USAGE`: the entry in the table of TTLs, and its places in both tables.
 * Measured on Valkey 8.0: 48 bytes when the tables are full, 64 when they have just grown. `test/cli/capacity.test.ts`
 * compares it with the growth of `used_memory`.
 */
const TABLE_BYTES = 64;
const GIB = 1_073_741_824;
/** How many keys are measured at the same time. */
const BATCH = 50;

export interface CapacityOptions {
  /** Numbers of labels of a session. */
  readonly labelCounts: readonly number[];
  readonly labelBytes: number;
  /** How many keys are written for each number of labels. */
  readonly keys: number;
  readonly signal: AbortSignal;
  onProgress(keys: number): void;
}

export interface SessionSize {
  readonly labels: number;
  /** The mean of `MEMORY USAGE`. */
  readonly memoryUsageBytes: number;
  readonly bytesPerSession: number;
  readonly sessionsPerGiB: number;
}

export interface Capacity {
  readonly sizes: readonly SessionSize[];
  /** `expiring` if the user has no right to delete them. */
  readonly probeKeys: 'removed' | 'expiring';
}

/**
 * Measures what sessions cost on the server, with keys that no session has. Removes the keys at the end, also after a
 * failure or an interruption.
 */
export async function measureCapacity(servers: Servers, options: CapacityOptions): Promise<Capacity> {
  const probes = new ProbeKeys(servers);
  const sizes: SessionSize[] = [];
  try {
    for (const count of options.labelCounts) sizes.push(await measureSize(servers, probes, count, options));
  } catch (error) {
    // if the removal fails too, throw the first error: it tells why the measurement failed
    await probes.remove().catch(() => {});
    throw error;
  }
  return { sizes, probeKeys: await probes.remove() };
}

async function measureSize(
  servers: Servers,
  probes: ProbeKeys,
  count: number,
  { keys, labelBytes, signal, onProgress }: CapacityOptions,
): Promise<SessionSize> {
  const labels = Array.from({ length: count }, (_, index) => `${index}`.padStart(labelBytes, 'l'));
  let total = 0;
  for (let done = 0; done < keys; done += BATCH) {
    if (signal.aborted) throw new Interrupted();
    const batch = probes.take(Math.min(BATCH, keys - done));
    const sizes = await Promise.all(batch.map((key) => measureKey(servers, key, labels)));
    for (const bytes of sizes) total += bytes;
    onProgress(batch.length);
  }
  const memoryUsageBytes = Math.round(total / keys);
  const bytesPerSession = memoryUsageBytes + TABLE_BYTES;
  return { labels: count, memoryUsageBytes, bytesPerSession, sessionsPerGiB: Math.floor(GIB / bytesPerSession) };
}

function measureKey(servers: Servers, key: string, labels: readonly string[]): Promise<number> {
  return servers.run('probe', key, async (wire) => {
    assertAppended(await wire.ask(appendCommand(key, labels, ProbeKeys.TTL_SECONDS)));
    const [bytes] = await wire.ask(requestOf(['memory', 'usage', key, 'samples', '0']));
    return Number(resultOf(bytes));
  });
}
