import { eventually } from '../../support/eventually.js';
import type { ValkeyNode } from '../../support/valkey-group.js';

/** Returns all sets of the server, at one moment. */
const SNAPSHOT = `
  local sets = {}
  for _, key in ipairs(redis.call('KEYS', '*')) do sets[#sets + 1] = { key, redis.call('SMEMBERS', key) } end
  return sets`;
const OFTEN = { withinMs: 60_000, everyMs: 2 };

/** The replica that has become the primary. */
export interface Promotion {
  readonly node: ValkeyNode;
  /** What it had then, by key, before any client could write to it. */
  readonly stored: ReadonlyMap<string, ReadonlySet<string>>;
  /** Resolves when a client has written to it, with a time shortly before, in milliseconds since 1970. */
  readonly firstWriteMs: Promise<number>;
}

/** Resolves when one of these replicas has become the primary. Call it before the failover begins. */
export function promotionOf(replicas: readonly ValkeyNode[]): Promise<Promotion> {
  return eventually(async () => {
    for (const node of replicas) {
      const [role] = (await node.admin.role()) as unknown as [string];
      if (role !== 'master') continue;
      const stored = await storedIn(node);
      return { node, stored, firstWriteMs: firstWriteTo(node) };
    }
    throw new Error('No replica has become the primary.');
  }, OFTEN);
}

async function storedIn({ admin }: ValkeyNode): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const sets = (await admin.eval(SNAPSHOT, 0)) as ReadonlyArray<[key: string, members: string[]]>;
  return new Map(sets.map(([key, members]) => [key, new Set(members)]));
}

async function firstWriteTo(node: ValkeyNode): Promise<number> {
  const before = await writesTo(node);
  let noneUntilMs = Date.now();
  await eventually(async () => {
    const askedMs = Date.now();
    if ((await writesTo(node)) > before) return;
    noneUntilMs = askedMs;
    throw new Error('No client has written to the new primary.');
  }, OFTEN);
  return noneUntilMs;
}

async function writesTo({ admin }: ValkeyNode): Promise<number> {
  return Number(/^cmdstat_sadd:calls=(\d+)/m.exec(await admin.info('commandstats'))?.[1] ?? 0);
}
