import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { describeWithDedicatedValkey, type TestValkey } from '../support/valkey.js';
import { ping } from '../support/valkey-servers.js';
import type { LoadingReport } from './loading-process.js';

const PROCESSES = 20;
/** The longest pause between two attempts to connect is 250 ms; chance makes it at most one half shorter. */
const MAX_ATTEMPTS_PER_SECOND = 8;
const clock = (): number => Number(process.hrtime.bigint()) / 1e6;

interface Outage {
  readonly name: string;
  begin(valkey: TestValkey): Promise<void>;
  end(valkey: TestValkey): Promise<void>;
  /** The outage lasts until each process has begun so many attempts. */
  readonly attempts: number;
  /** How many attempts of each process the server may see when it is back, whose other end has left meanwhile. */
  readonly abandoned: number;
}

const OUTAGES: readonly Outage[] = [
  {
    name: 'a server that is killed and started again',
    begin: (valkey) => valkey.kill(),
    end: (valkey) => valkey.restart(),
    attempts: 12,
    abandoned: 0,
  },
  {
    name: 'a server that is stopped and continued',
    begin: (valkey) => valkey.stop(),
    end: (valkey) => valkey.cont(),
    // an attempt that hangs is given up after two seconds; the kernel keeps it for the server
    attempts: 2,
    abandoned: 2,
  },
];

describeWithDedicatedValkey(`${PROCESSES} processes that lose Valkey together`, (server) => {
  let children: ChildProcess[] = [];
  before('starts the processes', async function () {
    this.timeout(120_000);
    const path = fileURLToPath(new URL('loading-process.ts', import.meta.url));
    children = Array.from({ length: PROCESSES }, () =>
      fork(path, { env: { ...process.env, ENDPOINT: server().url }, execArgv: ['--import', 'tsx'] }),
    );
    await eventually(async () => expect(await ownConnections(server())).to.equal(PROCESSES), { withinMs: 100_000 });
  });
  after(async () => {
    const exits = children.map((child) => once(child, 'exit'));
    for (const child of children) child.disconnect();
    await Promise.all(exits);
  });

  const ask = (command: 'forget' | 'report'): Promise<LoadingReport[]> =>
    Promise.all(
      children.map(async (child) => {
        child.send(command);
        const [report] = (await once(child, 'message')) as [LoadingReport];
        return report;
      }),
    );

  for (const { name, begin, end, attempts, abandoned } of OUTAGES) {
    it(`${name}: all are back within a second`, async function () {
      this.timeout(60_000);
      await ask('forget');
      await begin(server());
      const lostAtMs = clock();
      await eventually(
        async () => {
          for (const report of await ask('report')) {
            expect(report.attemptsAtMs).to.have.length.of.at.least(attempts);
            expect(report.refused).to.be.above(0);
          }
        },
        { withinMs: 20_000, everyMs: 100 },
      );

      let answersAtMs = 0;
      const answering = eventually(() => ping(server().host, server().port), { withinMs: 20_000, everyMs: 1 }).then(
        () => {
          answersAtMs = clock();
        },
      );
      const peak = new PeakOfConnections(server());
      await end(server());
      await answering;
      await eventually(async () => {
        for (const { servedAtMs } of await ask('report')) expect(servedAtMs).to.be.a('number');
      });
      await eventually(async () => expect(await ownConnections(server())).to.equal(PROCESSES));
      const connections = await peak.stop();

      const reports = await ask('report');
      const backAfterMs = reports.map(({ servedAtMs = Number.NaN }) => Math.max(servedAtMs - answersAtMs, 0));
      const busyMs = Math.max(...reports.map(({ latestMs }) => latestMs));
      const all = reports.flatMap(({ attemptsAtMs }) => attemptsAtMs);
      const down = all.filter((atMs) => atMs < answersAtMs).length;
      const later = all.length - down;
      const perSecond = down / PROCESSES / ((answersAtMs - lostAtMs) / 1_000);
      const sorted = backAfterMs.map(Math.round).sort((a, b) => a - b);
      console.info(
        `      back after ${sorted[0]} to ${sorted.at(-1)} ms, median ${sorted[PROCESSES / 2]} ms; attempts of each process ` +
          `while the server was away: ${perSecond.toFixed(1)} a second; attempts later: ${later} in all; ` +
          `most connections: ${connections}; timers late by up to ${Math.round(busyMs)} ms`,
      );
      // what a busy machine takes from a process is not the fault of the store
      expect(sorted.at(-1)).to.be.below(1_000 + 2 * busyMs);
      expect(perSecond).to.be.below(MAX_ATTEMPTS_PER_SECOND);
      expect(later).to.be.at.most(PROCESSES);
      // one more for this test
      expect(connections).to.be.at.most(PROCESSES * (1 + abandoned) + 2);
    });
  }
});

async function ownConnections({ admin }: TestValkey): Promise<number> {
  return String(await admin.call('CLIENT', 'LIST')).split('name=express-apl-session ').length - 1;
}

/** Asks the server all the time how many connections it has. */
class PeakOfConnections {
  readonly #valkey: TestValkey;
  readonly #run: Promise<void>;
  #peak = 0;
  #stopped = false;

  constructor(valkey: TestValkey) {
    this.#valkey = valkey;
    this.#run = this.#sample();
  }

  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#run;
    return this.#peak;
  }

  async #sample(): Promise<void> {
    while (!this.#stopped) {
      // the server may not be back yet
      const info = await this.#valkey.admin.info('clients').catch(() => '');
      this.#peak = Math.max(this.#peak, Number(/connected_clients:(\d+)/.exec(info)?.[1] ?? 0));
      await new Promise(setImmediate);
    }
  }
}
