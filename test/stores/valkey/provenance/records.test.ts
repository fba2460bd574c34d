import { expect } from 'chai';
import { quarantine } from '../../../../lib/index.js';
import { decodeRecord } from '../../../../lib/provenance/label-record.js';
import { sha256Hex } from '../../../../lib/session/digest.js';
import type { ValkeySessionStore, ValkeySessionStoreOptions } from '../../../../lib/valkey.js';
import { alarmsOf } from '../../../support/alarms.js';
import { CountingProxy } from '../../../support/counting-proxy.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { openedStores, PATIENT } from '../../../support/opened-stores.js';
import { describeWithValkey } from '../../../support/valkey.js';

const SESSION = 's';
const KEY = `taint:v1:${sha256Hex(SESSION)}`;
const WHY = `why:v1:{${KEY}}`;
const AT_MS = Date.UTC(2026, 0, 31);
const origins = (...labels: string[]) => new Map(labels.map((label) => [label, { atMs: AT_MS, by: 'taint' }]));

describeWithValkey('ValkeySessionStore with provenance', (server) => {
  const storeWith = openedStores(() => ({ endpoint: server().url, ...PATIENT, provenance: true }));
  const ttlOf = (key: string): Promise<number> => server().admin.ttl(key);
  beforeEach(() => server().flush());
  it('keeps records in a second key; the key of CPEX holds labels only', async () => {
    await storeWith({ provenance: { node: 'web-1' } }).appendLabels(SESSION, ['a', 'b'], origins('a'));
    expect(await server().admin.keys('*')).to.have.members([KEY, WHY]);
    expect((await server().admin.smembers(KEY)).sort()).to.deep.equal(['a', 'b']);
    const hash = await server().admin.hgetall(WHY);
    expect(Object.keys(hash)).to.deep.equal(['a']);
    expect(decodeRecord(hash['a'] ?? '')).to.deep.equal({ atMs: AT_MS, by: 'taint', node: 'web-1' });
  });

  it('an append without origins leaves no record', async () => {
    await storeWith({ ttlSeconds: 60 }).appendLabels(SESSION, ['a'], new Map());
    await storeWith().appendLabels(SESSION, ['b']);
    expect(await server().admin.keys('*')).to.deep.equal([KEY]);
  });

  it('without the option, origins are not sent', async () => {
    await storeWith({ provenance: false }).appendLabels(SESSION, ['a'], origins('a'));
    expect(await server().admin.keys('*')).to.deep.equal([KEY]);
  });

  it('the records have the TTL of the labels, and are renewed with them', async () => {
    const store = storeWith({ ttlSeconds: 1_000 });
    await store.appendLabels(SESSION, ['a'], origins('a'));
    expect(await ttlOf(WHY))
      .to.be.within(990, 1_000)
      .and.to.be.at.most(await ttlOf(KEY));
    for (const renew of [() => store.loadLabels(SESSION), () => store.appendLabels(SESSION, ['b'], origins('b'))]) {
      await server().admin.expire(KEY, 5);
      await server().admin.expire(WHY, 5);
      await renew();
      await eventually(async () => expect(await ttlOf(WHY)).to.be.within(990, 1_000));
      expect(await ttlOf(KEY)).to.be.within(990, 1_000);
    }
  });

  it('without ttlSeconds neither key gets a TTL', async () => {
    await storeWith().appendLabels(SESSION, ['a'], origins('a'));
    expect([await ttlOf(KEY), await ttlOf(WHY)]).to.deep.equal([-1, -1]);
  });

  it('explain() does not renew the TTL', async () => {
    const store = storeWith({ ttlSeconds: 1_000 });
    await store.appendLabels(SESSION, ['a'], origins('a'));
    await server().admin.expire(KEY, 50);
    await server().admin.expire(WHY, 50);
    await store.explain(SESSION);
    expect([await ttlOf(KEY), await ttlOf(WHY)]).to.deep.equal([50, 50]);
  });

  describe('costs no round trip', () => {
    let proxy: CountingProxy;
    before(async () => {
      proxy = await CountingProxy.start(server());
    });
    after(() => proxy.close());

    for (const { what, options, append, load } of [
      {
        what: 'without a TTL',
        options: {},
        append: { multi: 1, sadd: 1, hsetnx: 2, exec: 1 },
        load: { smembers: 1 },
      },
      {
        what: 'with a TTL',
        options: { ttlSeconds: 60 },
        append: { multi: 1, sadd: 1, hsetnx: 2, expire: 2, exec: 1 },
        load: { smembers: 1, expire: 2 },
      },
    ]) {
      it(`${what}: an append, a load and explain() are one round trip each`, async () => {
        const store = storeWith({ endpoint: proxy.url, ...options });
        await store.loadLabels('another');
        const count = async (call: () => Promise<unknown>) => {
          let trips = 0;
          const commands = await server().countCommands(async () => {
            trips = await proxy.countRoundTrips(call);
          });
          return { trips, commands };
        };
        const appending = () => store.appendLabels(SESSION, ['a', 'b'], origins('a', 'b'));
        expect(await count(appending)).to.deep.equal({ trips: 1, commands: append });
        expect(await count(() => store.loadLabels(SESSION))).to.deep.equal({ trips: 1, commands: load });
        const explained = await count(() => store.explain(SESSION));
        expect(explained).to.deep.equal({ trips: 1, commands: { smembers: 1, hgetall: 1 } });
      });
    }
  });

  describe('the loss of records is harmless', () => {
    const notes = async (store: ValkeySessionStore): Promise<Array<[string, boolean]>> =>
      (await store.explain(SESSION)).labels.map(({ label, note }) => [label, note !== undefined]);

    it('a deleted hash: labels stay, and later labels get records', async () => {
      const store = storeWith({ ttlSeconds: 60 });
      const alarms = alarmsOf(store);
      await store.appendLabels(SESSION, ['a'], origins('a'));
      await server().admin.del(WHY);
      expect(await store.loadLabels(SESSION)).to.deep.equal(['a']);
      await store.appendLabels(SESSION, ['b'], origins('b'));
      expect(await notes(store)).to.deep.equal([
        ['b', false],
        ['a', true],
      ]);
      expect(alarms).to.deep.equal([]);
    });

    for (const [what, spoil] of [
      ['a key of another type', () => server().admin.set(WHY, 'x')],
      ['a record that is no JSON', () => server().admin.hset(WHY, 'a', '{')],
      ['a record of other software', () => server().admin.hset(WHY, 'a', '{"at":"yesterday"}')],
    ] as const) {
      it(`${what}: appends, loads and explain() work`, async () => {
        const store = storeWith({ ttlSeconds: 60 });
        await spoil();
        await store.appendLabels(SESSION, ['a'], origins('a'));
        expect(await store.loadLabels(SESSION)).to.deep.equal(['a']);
        expect(await notes(store)).to.deep.equal([['a', true]]);
      });
    }
  });

  it('G4: quarantine() from another process: the next load of each node has the label', async () => {
    const [app, script] = [storeWith(), storeWith({ provenance: { node: 'script' } })];
    expect(await app.loadLabels(SESSION)).to.deep.equal([]);
    await quarantine(script, SESSION, 'quarantined');
    expect(await app.loadLabels(SESSION)).to.deep.equal(['quarantined']);
    expect((await app.explain(SESSION)).labels[0]).to.include({ by: 'quarantine', node: 'script' });
  });

  it('explain() rejects like a load: a closed store, and a damaged set', async () => {
    const store = storeWith();
    await server().admin.set(KEY, 'x');
    const damaged = await rejectionOf(store.explain(SESSION));
    expect(damaged).to.have.property('code', 'store.command_failed');
    await store.close();
    expect(await rejectionOf(store.explain(SESSION))).to.have.property('code', 'store.closed');
  });

  describe('as a user with the fewest rights', () => {
    const RIGHTS = '+smembers +sadd +multi +exec +echo +client|capa +info +config|get'.split(' ');
    const KEYS = ['~taint:v1:*', '~why:v1:*'];
    const grant = async (...rules: string[]): Promise<void> => {
      await server().admin.call('ACL', 'SETUSER', 'why', 'reset', 'on', '>pass', ...rules);
      await server().admin.call('ACL', 'LOG', 'RESET');
    };
    const asUser = (options: Partial<ValkeySessionStoreOptions> = {}): ValkeySessionStore =>
      storeWith({ endpoint: server().urlFor('why', 'pass'), ...options });
    after(() => server().admin.call('ACL', 'DELUSER', 'why'));

    for (const [what, options, rights] of [
      ['without a TTL', {}, RIGHTS],
      ['with a TTL', { ttlSeconds: 60 }, [...RIGHTS, '+expire']],
    ] as const) {
      it(`${what}: +hsetnx and +hgetall are enough, and nothing is denied`, async () => {
        await grant(...KEYS, ...rights, '+hsetnx', '+hgetall');
        const store = asUser(options);
        await store.appendLabels(SESSION, ['a'], origins('a'));
        expect(await store.loadLabels(SESSION)).to.deep.equal(['a']);
        expect((await store.explain(SESSION)).labels[0]).to.include({ label: 'a', by: 'taint' });
        expect(await server().admin.call('ACL', 'LOG')).to.deep.equal([]);
      });
    }

    for (const [what, rules] of [
      ['+hsetnx', [...KEYS, ...RIGHTS, '+hgetall']],
      ['~why:v1:*', ['~taint:v1:*', ...RIGHTS, '+hsetnx', '+hgetall']],
    ] as const) {
      it(`without ${what} an append is refused whole, with store.not_permitted`, async () => {
        await grant(...rules);
        const error = await rejectionOf(asUser().appendLabels(SESSION, ['a'], origins('a')));
        expect(error).to.have.property('code', 'store.not_permitted');
        expect(await server().admin.keys('*')).to.deep.equal([]);
      });
    }

    it('without +hgetall explain() is refused, and all else works', async () => {
      await grant(...KEYS, ...RIGHTS, '+hsetnx');
      const store = asUser();
      await store.appendLabels(SESSION, ['a'], origins('a'));
      expect(await store.loadLabels(SESSION)).to.deep.equal(['a']);
      expect(await rejectionOf(store.explain(SESSION))).to.have.property('code', 'store.not_permitted');
    });
  });
});
