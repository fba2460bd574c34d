import assert from 'node:assert/strict';
import { type CaseDefinition, load, promiseOf } from './contract-run.js';

/** What every store must do. */
export const requiredCases: readonly CaseDefinition[] = [
  {
    title: 'an unknown session is empty, and not an error',
    body: async (run) => {
      assert.deepEqual(await load(await run.open(), run.id()), []);
    },
  },
  {
    title: 'both calls return promises',
    body: async (run) => {
      const store = await run.open();
      await promiseOf('appendLabels()', () => store.appendLabels(run.id(), ['a']));
      await promiseOf('loadLabels()', () => store.loadLabels(run.id()));
    },
  },
  {
    title: 'a load returns what was appended',
    body: async (run) => {
      const store = await run.open();
      await store.appendLabels(run.id(), ['PII', 'secret']);
      assert.deepEqual(await load(store, run.id()), ['PII', 'secret']);
    },
  },
  {
    title: 'G5: appends accumulate and never remove',
    body: async (run) => {
      const store = await run.open();
      for (const label of ['a', 'b', 'c']) await store.appendLabels(run.id(), [label]);
      assert.deepEqual(await load(store, run.id()), ['a', 'b', 'c']);
    },
  },
  {
    title: 'G5: an append is idempotent, and duplicates are removed',
    body: async (run) => {
      const store = await run.open();
      await store.appendLabels(run.id(), ['a', 'a', 'b']);
      await store.appendLabels(run.id(), ['a', 'b']);
      assert.deepEqual(await load(store, run.id()), ['a', 'b']);
    },
  },
  {
    title: 'an empty append changes nothing',
    body: async (run) => {
      const store = await run.open();
      await store.appendLabels(run.id(), []);
      assert.deepEqual(await load(store, run.id()), []);
      await store.appendLabels(run.id(), ['a']);
      await store.appendLabels(run.id(), []);
      assert.deepEqual(await load(store, run.id()), ['a']);
    },
  },
  {
    title: 'G6: sessions are isolated, also if one id begins with another',
    body: async (run) => {
      const store = await run.open();
      await store.appendLabels(run.id('s'), ['a']);
      await store.appendLabels(run.id('s:1'), ['b']);
      await store.appendLabels(run.id('S'), ['c']);
      assert.deepEqual(await load(store, run.id('s')), ['a']);
      assert.deepEqual(await load(store, run.id('s:1')), ['b']);
      assert.deepEqual(await load(store, run.id('S')), ['c']);
      assert.deepEqual(await load(store, run.id('s:')), []);
      assert.deepEqual(await load(store, run.id()), []);
    },
  },
  {
    title: 'G6: session ids of 1,000 characters are compared whole',
    body: async (run) => {
      const store = await run.open();
      const long = run.id('x'.repeat(1_000));
      await store.appendLabels(`${long}1`, ['a']);
      assert.deepEqual(await load(store, `${long}1`), ['a']);
      assert.deepEqual(await load(store, `${long}2`), []);
      assert.deepEqual(await load(store, `${long}1 `), []);
    },
  },
  {
    title: 'labels differ by case',
    body: async (run) => {
      const store = await run.open();
      await store.appendLabels(run.id(), ['pii', 'PII']);
      assert.deepEqual(await load(store, run.id()), ['PII', 'pii']);
    },
  },
  {
    title: 'names of object members are ordinary session ids and labels',
    body: async (run) => {
      const store = await run.open();
      assert.deepEqual(await load(store, '__proto__'), []);
      await store.appendLabels('constructor', ['__proto__', 'toString']);
      assert.deepEqual(await load(store, 'constructor'), ['__proto__', 'toString']);
    },
  },
  {
    title: 'labels beyond ASCII are returned unchanged',
    body: async (run) => {
      const store = await run.open();
      const labels = ['séance-✓', '機密', '🔒', 'a b', ' a', 'a ', 'a,b', 'q"uo\'te', '*', '%', 'e\u0301', '\u00e9'];
      await store.appendLabels(run.id('zoë:séance-✓'), labels);
      assert.deepEqual(await load(store, run.id('zoë:séance-✓')), labels.sort());
    },
  },
  {
    title: 'a label of 256 bytes is returned whole',
    body: async (run) => {
      const store = await run.open();
      const labels = ['x'.repeat(256), 'é'.repeat(128)];
      await store.appendLabels(run.id(), labels);
      assert.deepEqual(await load(store, run.id()), labels);
    },
  },
  {
    title: '1,000 labels in one append are returned',
    body: async (run) => {
      const store = await run.open();
      const labels = Array.from({ length: 1_000 }, (_, index) => `label-${index}`);
      await store.appendLabels(run.id(), labels);
      assert.deepEqual(await load(store, run.id()), labels.sort());
    },
  },
  {
    title: 'labels are copied: a list that changes later changes nothing',
    body: async (run) => {
      const store = await run.open();
      const labels = ['a', 'b'];
      const appended = store.appendLabels(run.id(), labels);
      labels.length = 0;
      labels.push('c');
      await appended;
      labels.push('d');
      assert.deepEqual(await load(store, run.id()), ['a', 'b']);
    },
  },
  {
    title: 'an append does not change the list of the caller, which may be frozen',
    body: async (run) => {
      const store = await run.open();
      const labels = ['b', 'a', 'b'];
      await store.appendLabels(run.id(), labels);
      assert.deepEqual(labels, ['b', 'a', 'b']);
      await store.appendLabels(run.id(), Object.freeze(['d', 'c']));
      assert.deepEqual(await load(store, run.id()), ['a', 'b', 'c', 'd']);
    },
  },
  {
    title: 'labels are copied out: changing a result changes nothing',
    body: async (run) => {
      const store = await run.open();
      await store.appendLabels(run.id(), ['a']);
      const loaded = await store.loadLabels(run.id());
      if (Array.isArray(loaded)) loaded.push('b');
      if (loaded instanceof Set) loaded.add('b');
      assert.deepEqual(await load(store, run.id()), ['a']);
    },
  },
  {
    title: 'later appends do not change an earlier result',
    body: async (run) => {
      const store = await run.open();
      await store.appendLabels(run.id(), ['a']);
      const loaded = await store.loadLabels(run.id());
      await store.appendLabels(run.id(), ['b']);
      assert.deepEqual([...loaded], ['a']);
    },
  },
  {
    title: 'G4: a load that starts after an append sees it on every node',
    body: async (run) => {
      const { one, two } = await run.openTwo();
      await one.appendLabels(run.id(), ['a']);
      assert.deepEqual(await load(two, run.id()), ['a']);
      await two.appendLabels(run.id(), ['b']);
      assert.deepEqual(await load(one, run.id()), ['a', 'b']);
    },
  },
  {
    title: 'G5: concurrent appends from two nodes are united',
    body: async (run) => {
      const { one, two } = await run.openTwo();
      const expected = Array.from({ length: 100 }, (_, index) => `label-${index}`);
      await Promise.all(
        expected.map((label, index) => (index % 2 ? one : two).appendLabels(run.id(), [label, 'in-every-append'])),
      );
      assert.deepEqual(await load(one, run.id()), [...expected, 'in-every-append'].sort());
      assert.equal((await load(two, run.id())).length, 101);
    },
  },
];

/** For a store whose test can count the calls of the backend. */
export function backendCallCases(
  countBackendCalls: (action: () => Promise<void>) => Promise<number>,
): readonly CaseDefinition[] {
  return [
    {
      title: 'an empty append is a no-op that does not touch the backend',
      body: async (run) => {
        const store = await run.open();
        await store.loadLabels(run.id());
        assert.equal(await countBackendCalls(() => store.appendLabels(run.id(), [])), 0);
        assert.ok((await countBackendCalls(() => store.appendLabels(run.id(), ['a']))) > 0);
      },
    },
  ];
}
