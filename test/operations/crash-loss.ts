import { setTimeout as delay } from 'node:timers/promises';
import { ValkeySessionStore } from '../../lib/valkey.js';
import type { ValkeyNode } from '../support/valkey-group.js';

const NO_SNAPSHOTS = ['--save', ''];

export const APPEND_SETTINGS = [
  { name: 'yes, always', args: [...NO_SNAPSHOTS, '--appendonly', 'yes', '--appendfsync', 'always'] },
  { name: 'yes, everysec', args: [...NO_SNAPSHOTS, '--appendonly', 'yes', '--appendfsync', 'everysec'] },
  { name: 'yes, no', args: [...NO_SNAPSHOTS, '--appendonly', 'yes', '--appendfsync', 'no'] },
  { name: 'no', args: [...NO_SNAPSHOTS, '--appendonly', 'no'] },
] as const;

const PATIENT = { connectTimeoutMs: 5_000, commandTimeoutMs: 5_000 };
const NEVER_MS = 3_000;

/** Kills the server right behind the last acknowledgement, starts it again, and counts the sessions that look clean. */
export async function measureCrash(
  server: ValkeyNode,
  appends: number,
): Promise<{ readonly acknowledged: number; readonly lost: number }> {
  const sessions = Array.from({ length: appends }, (_, index) => `session-${index}`);
  const before = new ValkeySessionStore({ endpoint: server.url, ...PATIENT });
  for (const session of sessions) await before.appendLabels(session, ['secret']);
  await server.kill();
  await before.close();
  await server.restart();
  const after = new ValkeySessionStore({ endpoint: server.url, ...PATIENT });
  const loaded = await Promise.all(sessions.map((session) => after.loadLabels(session)));
  await after.close();
  return { acknowledged: appends, lost: loaded.filter((labels) => labels.length === 0).length };
}

/**
 * How long after its acknowledgement an append is on the disk, in milliseconds: until then a crash of the machine, and
 * not only of Valkey, loses it. `WAITAOF` tells. `undefined`: not within three seconds, or there is no file.
 */
export async function measureFsync(server: ValkeyNode, appends: number): Promise<Array<number | undefined>> {
  const times: Array<number | undefined> = [];
  for (let index = 0; index < appends; index += 1) {
    // at any moment of the second
    await delay((index * 137) % 500);
    await server.admin.sadd(`window:${index}`, 'secret');
    const acknowledgedMs = performance.now();
    const synced = await server.admin.call('WAITAOF', '1', '0', String(NEVER_MS)).catch(() => [0]);
    const onDisk = Array.isArray(synced) && synced[0] === 1;
    times.push(onDisk ? Math.round(performance.now() - acknowledgedMs) : undefined);
    if (!onDisk) break;
  }
  return times;
}
