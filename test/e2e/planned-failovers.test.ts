import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { AplSessionError } from '../../lib/contract/errors.js';
import { sha256Hex } from '../../lib/session/digest.js';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../lib/valkey.js';
import { eventually } from '../support/eventually.js';
import { describeWithValkeyGroup } from '../support/valkey-group.js';
import { type SentinelTopology, startSentinels } from '../support/valkey-topologies.js';

const WORKERS = 16;
const FAILOVERS = 3;

/** What the workers saw. */
interface Outcome {
  acknowledged: number;
  /** Loads without a label that was acknowledged before they began: the act that they guard would be allowed. */
  allowed: number;
  /** Labels that were acknowledged, and that the last primary does not have. */
  lost: number;
  denied: number;
  longestGapMs: number;
}

/**
 * One node of the app appends, and another one loads as soon as the append is acknowledged. Both have stores of their
 * own, as two processes have.
 */
class CausalTraffic {
  readonly outcome: Outcome = { acknowledged: 0, allowed: 0, lost: 0, denied: 0, longestGapMs: 0 };
  readonly sessions: string[] = [];
  readonly #stores: readonly [writer: ValkeySessionStore, reader: ValkeySessionStore];
  readonly #loops: ReadonlyArray<Promise<void>>;
  #servedMs = performance.now();
  #stopped = false;

  constructor(options: ValkeySessionStoreOptions) {
    this.#stores = [new ValkeySessionStore(options), new ValkeySessionStore(options)];
    this.#loops = Array.from({ length: WORKERS }, (_, worker) => this.#run(worker));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    await Promise.all(this.#stores.map((store) => store.close()));
  }

  async #run(worker: number): Promise<void> {
    const [writer, reader] = this.#stores;
    for (let n = 0; !this.#stopped; n += 1) {
      const session = `worker ${worker}, session ${n}`;
      try {
        await writer.appendLabels(session, ['secret']);
        this.outcome.acknowledged += 1;
        this.sessions.push(session);
        const labels = await reader.loadLabels(session);
        if (!labels.includes('secret')) this.outcome.allowed += 1;
        this.#served();
      } catch (error) {
        expect(error).to.be.instanceOf(AplSessionError);
        this.outcome.denied += 1;
        await delay(5);
      }
    }
  }

  #served(): void {
    this.outcome.longestGapMs = Math.max(this.outcome.longestGapMs, performance.now() - this.#servedMs);
    this.#servedMs = performance.now();
  }
}

describeWithValkeyGroup('planned failovers with SENTINEL FAILOVER, a primary and two replicas', 6, (group) => {
  let topology: SentinelTopology;

  before('starts the servers', async function () {
    this.timeout(60_000);
    topology = await startSentinels(group());
  });

  async function failOver(traffic: CausalTraffic): Promise<void> {
    await topology.settled();
    const old = await topology.primaryOf('any');
    const isDemoted = async (): Promise<boolean> => (await old.admin.info('replication')).includes('role:slave');
    // there are two primaries until the old one is demoted; a busy Sentinel may refuse a failover, or give it up
    await eventually(
      async () => {
        await topology.sentinels[0]?.admin.call('SENTINEL', 'FAILOVER', 'labels').catch(() => {});
        await eventually(isDemoted, { withinMs: 8_000 });
      },
      { withinMs: 60_000 },
    );
    const { acknowledged } = traffic.outcome;
    await eventually(() => traffic.outcome.acknowledged > acknowledged + 50, { withinMs: 30_000 });
  }

  async function lostLabels(sessions: readonly string[]): Promise<number> {
    const { admin } = await topology.primaryOf('any');
    const pipeline = admin.pipeline();
    for (const session of sessions) pipeline.sismember(`taint:v1:${sha256Hex(session)}`, 'secret');
    const replies = (await pipeline.exec()) ?? [];
    return replies.filter(([, isMember]) => isMember !== 1).length;
  }

  async function outcomeWith(durability: ValkeySessionStoreOptions['durability']): Promise<Outcome> {
    await topology.settled();
    await topology.flush();
    const traffic = new CausalTraffic({ ...topology.options, ...(durability && { durability }) });
    try {
      await eventually(() => traffic.outcome.acknowledged > 100, { withinMs: 20_000 });
      for (let n = 0; n < FAILOVERS; n += 1) await failOver(traffic);
    } finally {
      await traffic.stop();
    }
    await topology.settled();
    traffic.outcome.lost = await lostLabels(traffic.sessions);
    return traffic.outcome;
  }

  const rows: ReadonlyArray<{
    readonly title: string;
    readonly durability?: ValkeySessionStoreOptions['durability'];
    readonly isFenced?: boolean;
    readonly keepsAll?: boolean;
  }> = [
    { title: 'no durability: the figures of the risk' },
    { title: 'replicas: 2 loses no label', durability: { replicas: 2 }, keepsAll: true },
    { title: 'replicas: 1 with fencedReads is not enough', durability: { replicas: 1, fencedReads: true } },
    {
      title: 'G4: replicas: 2 with fencedReads allows no act and loses no label',
      durability: { replicas: 2, fencedReads: true },
      isFenced: true,
      keepsAll: true,
    },
  ];
  for (const { title, durability, isFenced, keepsAll } of rows) {
    it(title, async function () {
      this.timeout(240_000);
      const outcome = await outcomeWith(durability);
      const { acknowledged, allowed, lost, denied, longestGapMs } = outcome;
      const seconds = (longestGapMs / 1_000).toFixed(2);
      console.info(
        `      ${FAILOVERS} failovers: ${acknowledged} acknowledged, ${lost} lost, ${allowed} acts allowed, ${denied} calls denied, ${seconds} s without service`,
      );
      if (isFenced) expect(allowed).to.equal(0);
      if (keepsAll) expect(lost).to.equal(0);
    });
  }
});
