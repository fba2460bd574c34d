import type { ValkeyNode } from '../../support/valkey-group.js';
import { type CrashEvent, type Damage, KEPT, type Scene, type Stage } from './crash-event.js';
import { durabilityOf } from './feature-sets.js';
import { PowerServer } from './power-server.js';
import { keyOf, missingIn } from './stored-labels.js';

const SYNCED = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
const EVERY_SECOND = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'];
/** The size of about thirty appends. With less, the loss of an unlucky moment would be none. */
const UNSYNCED_BYTES = 4_000;
const NEVER = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'no'];
const NOT_KEPT = ['--save', '', '--appendonly', 'no'];

/**
 * Stops the process of the app while the event ends, so that the app cannot store labels again before they are counted.
 * @param during what happens while the app is stopped
 */
async function whileFrozen({ app, load, observer }: Stage, during: () => Promise<unknown>): Promise<Damage> {
  app.freeze();
  try {
    await during();
    // what the app had sent before is read by now, because the event took round trips
    const acknowledged = [...load.acknowledged];
    return { acknowledged, missing: await missingIn(observer, acknowledged) };
  } finally {
    app.thaw();
  }
}

interface ServerEvent {
  readonly title: string;
  readonly claims: CrashEvent['claims'];
  readonly args: readonly string[];
  happen(server: ValkeyNode, stage: Stage): Promise<Damage>;
}

/** An event on a server of its own. */
function onServer({ title, claims, args, happen }: ServerEvent): CrashEvent {
  return {
    title,
    claims,
    async open(lab, features): Promise<Scene> {
      const server = await lab.server(...args);
      return {
        store: { endpoint: server.url, ...durabilityOf(features, 0) },
        happen: (stage) => happen(server, stage),
        // the server may be dead already; the lab ends it with its group
        async close() {
          server.admin.disconnect();
        },
      };
    },
  };
}

async function killAndRestart(server: ValkeyNode, stage: Stage): Promise<Damage> {
  await server.kill();
  return whileFrozen(stage, () => server.restart());
}

function powerLoss(setting: string, args: readonly string[], claims: CrashEvent['claims']): CrashEvent {
  return {
    title: `power loss, \`appendfsync ${setting}\``,
    claims,
    async open(_lab, features): Promise<Scene> {
      const server = await PowerServer.start(args);
      return {
        store: { endpoint: server.url, ...durabilityOf(features, 0) },
        async happen(stage) {
          if (setting === 'everysec') await server.hasUnsynced(UNSYNCED_BYTES);
          await server.losePower();
          return whileFrozen(stage, () => server.restart());
        },
        close: () => server.close(),
      };
    },
  };
}

/** Evicts at least a third of the sessions, by other data that needs the memory. */
async function fillMemory({ admin }: ValkeyNode, { load }: Stage): Promise<void> {
  const sessions = [...new Set(load.acknowledged.map(({ session }) => session))];
  const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
  await admin.config('SET', 'maxmemory', String(used + 200_000));
  for (let batch = 0; (await admin.exists(...sessions.map(keyOf))) > (sessions.length * 2) / 3; batch += 1) {
    const other = admin.pipeline();
    for (let index = 0; index < 100; index += 1) other.set(`other:${batch}:${index}`, 'x'.repeat(1_000));
    await other.exec();
  }
  await admin.config('SET', 'maxmemory', '0');
}

const NO_HELP = { 'no memory': 'lost', 'memory of the process': 'healed', '`enrolled`': 'refused' } as const;
/** The store has labels on its disk, but loses them later. */
const LOST = { ...NO_HELP, '`durability`': 'lost', 'all of these': 'refused' } as const;
/** The server does not write each append to its disk. */
const NOT_SYNCED = {
  ...NO_HELP,
  '`durability`': 'not acknowledged',
  'all of these': 'not acknowledged',
} as const;
const KEPT_NOT_SYNCED = { ...KEPT, '`durability`': 'not acknowledged', 'all of these': 'not acknowledged' } as const;

export const SINGLE_SERVER_EVENTS: readonly CrashEvent[] = [
  onServer({ title: 'kill -9, `appendfsync always`', args: SYNCED, claims: KEPT, happen: killAndRestart }),
  onServer({
    title: 'kill -9, `appendfsync everysec`',
    args: EVERY_SECOND,
    claims: KEPT_NOT_SYNCED,
    happen: killAndRestart,
  }),
  onServer({ title: 'kill -9, `appendonly no`', args: NOT_KEPT, claims: NOT_SYNCED, happen: killAndRestart }),
  powerLoss('always', SYNCED, KEPT),
  powerLoss('everysec', EVERY_SECOND, {
    ...NOT_SYNCED,
    // a session that was enrolled before the last fsync, and has got labels after it
    '`enrolled`': 'may be lost',
  }),
  powerLoss('no', NEVER, NOT_SYNCED),
  onServer({
    title: '`FLUSHALL`',
    args: SYNCED,
    claims: LOST,
    happen: ({ admin }, stage) => whileFrozen(stage, () => admin.flushall()),
  }),
  onServer({
    title: '`DEL` of every third session',
    args: SYNCED,
    claims: LOST,
    happen: ({ admin }, stage) =>
      whileFrozen(stage, () => {
        const sessions = [...new Set(stage.load.acknowledged.map(({ session }) => session))];
        return admin.del(...sessions.filter((_, index) => index % 3 === 0).map(keyOf));
      }),
  }),
  onServer({
    title: 'eviction, `allkeys-lru`',
    args: [...SYNCED, '--maxmemory-policy', 'allkeys-lru'],
    claims: LOST,
    happen: (server, stage) => whileFrozen(stage, () => fillMemory(server, stage)),
  }),
  onServer({
    title: 'restart from an older RDB file',
    args: SYNCED,
    // sessions of the file are enrolled, and have lost the labels that they got later
    claims: { ...LOST, '`enrolled`': 'lost', 'all of these': 'nothing lost' },
    async happen(server, stage) {
      const { load } = stage;
      await load.stop();
      await server.admin.save();
      await load.addLabel(new Set(load.acknowledged.map(({ session }) => session)), 'later');
      load.start();
      await load.acknowledges(load.acknowledged.length / 2);
      await server.kill();
      return whileFrozen(stage, async () => {
        // a server that has `appendonly yes` at its start does not read the RDB file
        await server.restart(NOT_KEPT);
        await server.admin.config('SET', 'appendonly', 'yes', 'appendfsync', 'always');
      });
    },
  }),
];
