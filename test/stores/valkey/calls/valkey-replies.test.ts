import { expect } from 'chai';
import { rejectionOf } from '../../../support/eventually.js';
import { openedStores, PATIENT } from '../../../support/opened-stores.js';
import { PARITY_VECTORS } from '../../../support/parity-vectors.js';
import { describeWithValkey } from '../../../support/valkey.js';

const { id: SESSION, key: KEY } = PARITY_VECTORS[0] ?? expect.fail('no vector');
const labels = (count: number): string[] => Array.from({ length: count }, (_, n) => `label-${n}`);

describeWithValkey('ValkeySessionStore, limits of a session', (server) => {
  const storeWith = openedStores(() => ({ endpoint: server().url, ...PATIENT }));
  beforeEach(() => server().flush());
  for (const { ttl, options } of [
    { ttl: 'without a TTL', options: {} },
    { ttl: 'with a TTL', options: { ttlSeconds: 60 } },
  ]) {
    describe(ttl, () => {
      it('G2: a load of more than maxLabelsPerSession rejects, others work', async () => {
        const store = storeWith(options);
        await server().admin.sadd(KEY, ...labels(1_001));
        await store.appendLabels('other', ['a']);
        const [refused, other] = await Promise.all([rejectionOf(store.loadLabels(SESSION)), store.loadLabels('other')]);
        expect(refused).to.have.property('code', 'store.too_many_labels');
        expect(other).to.deep.equal(['a']);
        await server().admin.srem(KEY, 'label-0');
        expect(await store.loadLabels(SESSION)).to.have.length(1_000);
      });

      it('G2: an append of more at once rejects, and stores nothing', async () => {
        const store = storeWith({ maxLabelsPerSession: 2, ...options });
        expect(await rejectionOf(store.appendLabels(SESSION, labels(3)))).to.have.property(
          'code',
          'store.too_many_labels',
        );
        expect(await server().admin.exists(KEY)).to.equal(0);
        await store.appendLabels(SESSION, ['a', 'b', 'a']);
        expect(await store.loadLabels(SESSION)).to.have.members(['a', 'b']);
      });

      for (const [what, member] of [
        ['an empty one', ''],
        ['one of 257 bytes', 'x'.repeat(257)],
        ['one with a line feed', 'PII\nsecret'],
        ['one with a NUL', 'PII\0'],
        ['one with U+FFFD', 'PII\ufffd'],
      ] as const) {
        it(`G2: an invalid member (${what}) rejects the load, and is not shown`, async () => {
          await server().admin.sadd(KEY, 'secret', member);
          const error = (await rejectionOf(storeWith(options).loadLabels(SESSION))) as Error;
          expect(error).to.have.property('code', 'store.malformed_reply');
          expect(error.message).to.not.match(/PII|secret|xxx/);
        });
      }
    });
  }

  it('the limit and the TTL are members of the store', () => {
    expect(storeWith()).to.include({ maxLabelsPerSession: 1_000, ttlSeconds: undefined });
    expect(storeWith({ maxLabelsPerSession: 5, ttlSeconds: 7 })).to.include({ maxLabelsPerSession: 5, ttlSeconds: 7 });
  });
});
