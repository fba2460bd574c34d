import { expect } from 'chai';
import type { SessionStore } from '../../lib/contract/session-store.js';
import { rejectionOf } from '../support/eventually.js';

type ClosableStore = SessionStore & { close(): Promise<void> };

/** A backend, empty at the start of each test, and the stores that look at it. */
export interface ContractBackend {
  /** A store as another process would have it; for a store that lives in one process, the same one each time. */
  node(): ClosableStore;
  /** How often the backend was touched during `action`. */
  touches(action: () => Promise<void>): Promise<number>;
}

/** Every guarantee of `lib/contract/session-store.ts`, as tests of the store under test. */
export function describeSessionStoreContract(title: string, open: () => ContractBackend): void {
  describe(title, () => {
    let backend: ContractBackend;
    let nodes: ClosableStore[];

    const node = (): ClosableStore => {
      const store = backend.node();
      nodes.push(store);
      return store;
    };
    const load = async (store: SessionStore, sessionId: string): Promise<string[]> =>
      [...(await store.loadLabels(sessionId))].sort();

    beforeEach(() => {
      backend = open();
      nodes = [];
    });
    afterEach(() => Promise.all(nodes.map((store) => store.close())));

    it('an unknown session is empty, and not an error', async () => {
      expect(await load(node(), 'unknown')).to.deep.equal([]);
    });

    it('a load returns what was appended', async () => {
      const store = node();
      await store.appendLabels('s', ['PII', 'secret']);
      expect(await load(store, 's')).to.deep.equal(['PII', 'secret']);
    });

    it('G5: appends accumulate and never remove', async () => {
      const store = node();
      await store.appendLabels('s', ['a']);
      await store.appendLabels('s', ['b']);
      await store.appendLabels('s', ['c']);
      expect(await load(store, 's')).to.deep.equal(['a', 'b', 'c']);
    });

    it('G5: an append is idempotent, and duplicates are removed', async () => {
      const store = node();
      await store.appendLabels('s', ['a', 'a', 'b']);
      await store.appendLabels('s', ['a', 'b']);
      expect(await load(store, 's')).to.deep.equal(['a', 'b']);
    });

    it('labels differ by case', async () => {
      const store = node();
      await store.appendLabels('s', ['pii', 'PII']);
      expect(await load(store, 's')).to.deep.equal(['PII', 'pii']);
    });

    it('an empty append is a no-op that does not touch the backend', async () => {
      const store = node();
      await store.loadLabels('s');
      expect(await backend.touches(() => store.appendLabels('s', []))).to.equal(0);
      expect(await backend.touches(() => store.appendLabels('s', ['a']))).to.be.greaterThan(0);
      expect(await load(store, 's')).to.deep.equal(['a']);
    });

    it('G6: sessions are isolated, also if one id begins with another', async () => {
      const store = node();
      await store.appendLabels('s', ['a']);
      await store.appendLabels('s:1', ['b']);
      await store.appendLabels('S', ['c']);
      expect(await load(store, 's')).to.deep.equal(['a']);
      expect(await load(store, 's:1')).to.deep.equal(['b']);
      expect(await load(store, 'S')).to.deep.equal(['c']);
      expect(await load(store, 's:')).to.deep.equal([]);
    });

    it('names of object members are ordinary session ids and labels', async () => {
      const store = node();
      expect(await load(store, '__proto__')).to.deep.equal([]);
      await store.appendLabels('constructor', ['__proto__', 'toString']);
      expect(await load(store, 'constructor')).to.deep.equal(['__proto__', 'toString']);
    });

    it('labels are copied: a list that changes later changes nothing', async () => {
      const store = node();
      const labels = ['a', 'b'];
      const appended = store.appendLabels('s', labels);
      labels.length = 0;
      labels.push('c');
      await appended;
      labels.push('d');
      expect(await load(store, 's')).to.deep.equal(['a', 'b']);
    });

    it('labels are copied out: changing a result changes nothing', async () => {
      const store = node();
      await store.appendLabels('s', ['a']);
      const loaded = (await store.loadLabels('s')) as string[];
      loaded.push('b');
      expect(await load(store, 's')).to.deep.equal(['a']);
    });

    it('later appends do not change an earlier result', async () => {
      const store = node();
      await store.appendLabels('s', ['a']);
      const loaded = await store.loadLabels('s');
      await store.appendLabels('s', ['b']);
      expect([...loaded]).to.deep.equal(['a']);
    });

    it('G4: a load that starts after an append sees it on every node', async () => {
      const [one, two] = [node(), node()];
      await one.appendLabels('s', ['a']);
      expect(await load(two, 's')).to.deep.equal(['a']);
      await two.appendLabels('s', ['b']);
      expect(await load(one, 's')).to.deep.equal(['a', 'b']);
    });

    it('G5: concurrent appends from two nodes are united', async () => {
      const [one, two] = [node(), node()];
      const expected = Array.from({ length: 100 }, (_, index) => `label-${index}`);
      await Promise.all(
        expected.map((label, index) => (index % 2 ? one : two).appendLabels('s', [label, 'in-every-append'])),
      );
      expect(await load(one, 's')).to.deep.equal([...expected, 'in-every-append'].sort());
      expect(await load(two, 's')).to.have.length(101);
    });

    it('labels beyond ASCII are returned unchanged', async () => {
      const store = node();
      const labels = ['séance-✓', '機密', '🔒', 'a b', 'q"uo\'te', '*', 'e\u0301', '\u00e9'];
      await store.appendLabels('zoë:séance-✓', labels);
      expect(await load(store, 'zoë:séance-✓')).to.deep.equal([...labels].sort());
    });

    it('a label of 256 bytes is returned whole', async () => {
      const store = node();
      const labels = ['x'.repeat(256), 'é'.repeat(128)];
      await store.appendLabels('s', labels);
      expect(await load(store, 's')).to.deep.equal([...labels].sort());
    });

    it('1,000 labels in one append are returned', async () => {
      const store = node();
      const labels = Array.from({ length: 1_000 }, (_, index) => `label-${index}`);
      await store.appendLabels('s', labels);
      expect(await load(store, 's')).to.deep.equal(labels.sort());
    });

    it('a closed store rejects both calls, and closing twice is fine', async () => {
      const store = node();
      await store.appendLabels('s', ['a']);
      await store.close();
      expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.closed');
      expect(await rejectionOf(store.appendLabels('s', ['b']))).to.have.property('code', 'store.closed');
      await store.close();
    });

    it('a store that is closed before its first call rejects too', async () => {
      const store = node();
      await store.close();
      expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.closed');
    });
  });
}
