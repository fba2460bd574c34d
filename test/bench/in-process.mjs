/**
 * `npm run bench:in-process`: what one request costs without sockets, a server and a remote store, so that only Express, Node's
 * messages and this package are left. Steadier than a server on a machine with neighbours, and blind to all that they leave
 * out: caches are warm, and no request waits for a store. Requests come in groups, as from a busy server's sockets.
 * `-- FOLDER ...` compares builds, default `dist`; `--only NAMES` measures the scenarios whose name holds one of these, and bare Express;
 * `--starts N` takes the best of N starts, default 5. `--busy` is for a machine that does other work: shorter batches, of which fewer
 * count, so that less is disturbed and less garbage is collected in them.
 */
import { fork } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { groupsOf } from './instructions/requests.mjs';
import { appOf } from './instructions/scenarios.mjs';

const PAIRS = ['stub', 'memory', 'sdk', 'sampled', 'everything'].flatMap((name) => [
  `${name} clean`,
  `${name} tainting`,
]);
const KINDS = ['bare', 'no session', ...PAIRS];
const TOGETHER = 16;
const WARM_UP = 2_500;
const BATCHES = 400;
/** How many groups a batch has, and which share of the batches may be faster than the one that counts. */
const QUIET = { batch: 8, share: 0.1 };
const BUSY = { batch: 1, share: 0.02 };

/** A batch that was disturbed little, in microseconds per request. */
async function measure(kind, dist, { batch: size, share }) {
  const group = groupsOf(await appOf(kind, dist), TOGETHER);
  for (let n = 0; n < WARM_UP; n++) await group();
  const micros = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const startedMs = performance.now();
    for (let n = 0; n < size; n++) await group();
    micros.push(((performance.now() - startedMs) * 1_000) / size / TOGETHER);
  }
  return micros.sort((a, b) => a - b)[Math.floor(BATCHES * share)];
}

function inChild(kind, dist, mode) {
  const env = { ...process.env, NODE_ENV: 'production', NODE_NO_WARNINGS: '1' };
  const child = fork(fileURLToPath(import.meta.url), [kind, dist, mode], { env });
  return new Promise((done, fail) => {
    child.once('message', done);
    child.once('exit', (code) => code && fail(new Error(`${kind} ended with ${code}`)));
  });
}

async function compare(dists, kinds, starts, mode) {
  console.log(`microseconds per request, the best of ${starts} starts`);
  for (const [n, dist] of dists.entries()) {
    const best = new Map();
    for (let start = 0; start < starts; start++) {
      for (const kind of kinds) best.set(kind, Math.min(best.get(kind) ?? Infinity, await inChild(kind, dist, mode)));
    }
    const bare = best.get('bare');
    if (dists.length > 1) console.log(dists[n]);
    for (const [kind, micros] of best) {
      console.log(`${kind.padEnd(21)}${micros.toFixed(1).padStart(8)}${(micros - bare).toFixed(1).padStart(8)} added`);
    }
  }
}

if (process.send) {
  process.send(await measure(process.argv[2], process.argv[3], process.argv[4] === 'busy' ? BUSY : QUIET));
  process.exit();
}
const { values, positionals } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    starts: { type: 'string', default: '5' },
    busy: { type: 'boolean' },
  },
  allowPositionals: true,
});
const isChosen = (kind) => kind === 'bare' || values.only.split(',').some((part) => kind.includes(part));
const folders = positionals.length > 0 ? positionals : [fileURLToPath(new URL('../../dist', import.meta.url))];
await compare(
  folders.map((folder) => resolve(folder)),
  KINDS.filter(isChosen),
  Number(values.starts),
  values.busy ? 'busy' : 'quiet',
);
