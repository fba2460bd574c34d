import { parseArgs } from 'node:util';
import type { ValkeyGroup } from '../support/valkey-group.js';
import { openValkeyGroup } from '../support/valkey-group.js';
import { APPEND_SETTINGS, measureCrash, measureFsync } from './crash-loss.js';

/** Prints what docs/operations.md says of crashes: `npx tsx test/operations/durability.ts [--appends 200]`. */
const { values } = parseArgs({ options: { appends: { type: 'string', default: '200' } } });
const appends = Number(values.appends);

const { group, close } = await openValkeyGroup(APPEND_SETTINGS.length);
try {
  console.log('| appendonly, appendfsync | lost after SIGKILL | until fsync: median | longest |');
  console.log('|---|---|---|---|');
  for (const setting of APPEND_SETTINGS) console.log(await row(group, setting));
} finally {
  await close();
}

async function row(servers: ValkeyGroup, setting: (typeof APPEND_SETTINGS)[number]): Promise<string> {
  const server = await servers.start(...setting.args);
  const fsyncs = await measureFsync(server, Math.min(appends, 40));
  const { acknowledged, lost } = await measureCrash(server, appends);
  const times = fsyncs.filter((ms) => ms !== undefined).sort((a, b) => a - b);
  const never = fsyncs.length - times.length;
  const tell = (ms: number | undefined): string => (ms === undefined || never > 0 ? 'not within 3 s' : `${ms} ms`);
  return `| ${setting.name} | ${lost} of ${acknowledged} | ${tell(times[times.length >> 1])} | ${tell(times.at(-1))} |`;
}
