import { expect } from 'chai';
import { sha256Hex } from '../../../../lib/session/digest.js';
import type { ValkeySessionStore, ValkeySessionStoreOptions } from '../../../../lib/valkey.js';
import { openedStores, PATIENT } from '../../../support/opened-stores.js';
import { describeWithValkeyGroup, type ValkeyNode } from '../../../support/valkey-group.js';
import { type ClusterTopology, migrateKey, startCluster } from '../../../support/valkey-topologies.js';

const AT_MS = Date.UTC(2026, 0, 31);
const origins = (...labels: string[]) => new Map(labels.map((label) => [label, { atMs: AT_MS, by: 'taint' }]));
const keyOf = (session: string): string => `taint:v1:${sha256Hex(session)}`;
const whyOf = (session: string): string => `why:v1:{${keyOf(session)}}`;

describeWithValkeyGroup('ValkeySessionStore with provenance on a cluster', 6, (group) => {
  let cluster: ClusterTopology;
  const storeWith = openedStores(() => ({ ...cluster.options, ...PATIENT, provenance: true }));

  before('makes a cluster of three primaries with a replica each', async function () {
    this.timeout(60_000);
    cluster = await startCluster(group());
  });
  beforeEach(() => cluster.flush());
  for (const [what, options] of [
    ['', {}],
    [', with a TTL', { ttlSeconds: 60 }],
    [', with replicas that confirm', { durability: { replicas: 1, fencedReads: true } }],
  ] as const) {
    it(`the records are in the slot of the labels${what}`, async () => {
      const store = storeWith(options);
      for (const session of await cluster.sessions()) {
        await store.appendLabels(session, ['a'], origins('a'));
        expect(await store.loadLabels(session)).to.deep.equal(['a']);
        expect((await store.explain(session)).labels[0]).to.include({ label: 'a', by: 'taint' });
        const { admin } = await cluster.primaryOf(session);
        expect(await admin.exists(keyOf(session), whyOf(session))).to.equal(2);
      }
    });
  }

  describe('while a slot moves', () => {
    let session: string;
    let source: ValkeyNode;
    let target: ValkeyNode;
    let store: ValkeySessionStore;

    /** Moves the slot of the session to another primary, key by key. Whatever the keys are in `during`, no label may be lost. */
    const moving = async (during: () => Promise<void>): Promise<void> => {
      const keys = [keyOf(session), whyOf(session)];
      try {
        await cluster.moveSlot(cluster.slotOf(session), { source, target, keys }, during);
      } finally {
        await cluster.settled();
      }
    };
    const setUp = async (options: ValkeySessionStoreOptions): Promise<void> => {
      [session = ''] = await cluster.sessions();
      source = await cluster.primaryOf(session);
      target = (await cluster.primaries()).find((node) => node !== source) ?? expect.fail();
      store = storeWith(options);
      await store.ready();
    };

    for (const [what, options] of [
      ['without a TTL', {}],
      ['with a TTL', { ttlSeconds: 60 }],
    ] as const) {
      it(`a session that has labels and no records, ${what}: appends and loads work`, async () => {
        await setUp(options);
        await store.appendLabels(session, ['before']);
        await moving(async () => {
          await store.appendLabels(session, ['during'], origins('during'));
          expect(await store.loadLabels(session)).to.have.members(['before', 'during']);
          expect((await store.explain(session)).labels).to.have.length(2);
          // the labels are not on two nodes: the move of the key would lose those on one of them
          expect([await source.admin.dbsize(), await target.admin.dbsize()]).to.deep.equal([1, 0]);
        });
        await store.appendLabels(session, ['after'], origins('after'));
        expect(await store.loadLabels(session)).to.have.members(['before', 'during', 'after']);
      });

      it(`a new session, ${what}: appends go to the new node`, async () => {
        await setUp(options);
        await moving(async () => {
          await store.appendLabels(session, ['during'], origins('during'));
          expect(await store.loadLabels(session)).to.deep.equal(['during']);
          expect([await source.admin.dbsize(), await target.admin.dbsize()]).to.deep.equal([0, 1]);
        });
        expect(await store.loadLabels(session)).to.deep.equal(['during']);
      });

      it(`a session whose records are moved first, ${what}: its labels stay together`, async () => {
        await setUp(options);
        await store.appendLabels(session, ['before'], origins('before'));
        await moving(async () => {
          await migrateKey(whyOf(session), source, target);
          await store.appendLabels(session, ['during'], origins('during'));
          expect(await store.loadLabels(session)).to.have.members(['before', 'during']);
          expect((await store.explain(session)).labels).to.have.length(2);
          expect(await source.admin.smembers(keyOf(session))).to.have.members(['before', 'during']);
        });
        expect(await store.loadLabels(session)).to.have.members(['before', 'during']);
        const { labels } = await store.explain(session);
        expect(labels[0]).to.include({ label: 'before', by: 'taint' });
      });

      it(`a session whose labels are moved first, ${what}: its labels stay together`, async () => {
        await setUp(options);
        await store.appendLabels(session, ['before'], origins('before'));
        await moving(async () => {
          await migrateKey(keyOf(session), source, target);
          await store.appendLabels(session, ['during'], origins('during'));
          expect(await store.loadLabels(session)).to.have.members(['before', 'during']);
          // the hash is still on the source, the set is on the target
          expect([await source.admin.dbsize(), await target.admin.dbsize()]).to.deep.equal([1, 1]);
        });
        expect(await store.loadLabels(session)).to.have.members(['before', 'during']);
      });
    }
  });
});
