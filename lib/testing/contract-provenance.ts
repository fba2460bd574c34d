import assert from 'node:assert/strict';
import type { LabelOrigin, SessionExplanation } from '../contract/provenance.js';
import type { SessionStore } from '../contract/session-store.js';
import { ENROLLED } from '../labels/enrolment.js';
import { type CaseDefinition, load } from './contract-run.js';

const AT_MS = Date.UTC(2026, 0, 31, 12);
const FIRST: LabelOrigin = { atMs: AT_MS, route: 'GET /salaries', by: 'taint', requestId: 'r1' };
const LATER: LabelOrigin = { atMs: AT_MS + 1_000, route: 'POST /notes' };

/** For every store: the middleware passes origins only to a store that keeps them, but other code may pass them to any store. */
export const originCases: readonly CaseDefinition[] = [
  {
    title: 'an append with origins stores its labels, and only them',
    body: async (run) => {
      const store = await run.open();
      const origins = new Map([
        ['a', FIRST],
        ['not appended', FIRST],
      ]);
      await store.appendLabels(run.id(), ['a', 'b'], origins);
      assert.deepEqual(await load(store, run.id()), ['a', 'b']);
    },
  },
];

/** For a store with `provenance`. */
export const provenanceCases: readonly CaseDefinition[] = [
  {
    title: 'explain() returns the first origin of each label, from every node',
    body: async (run) => {
      const { one, two } = await run.openTwo();
      await one.appendLabels(run.id(), ['a'], new Map([['a', FIRST]]));
      await two.appendLabels(
        run.id(),
        ['a', 'b'],
        new Map([
          ['a', LATER],
          ['b', LATER],
        ]),
      );
      const { labels } = await explain(two, run.id());
      const [a, b] = labels.map(({ node, ...others }) => {
        assert.ok(typeof node === 'string' && node !== '', 'each label must have the node that stored it');
        return others;
      });
      const firstAddedAt = new Date(AT_MS).toISOString();
      assert.deepEqual(a, { label: 'a', firstAddedAt, route: 'GET /salaries', by: 'taint', requestId: 'r1' });
      assert.deepEqual(b, { label: 'b', firstAddedAt: new Date(LATER.atMs).toISOString(), route: 'POST /notes' });
    },
  },
  {
    title: 'explain() has labels without an origin too, with a note',
    body: async (run) => {
      const store = await run.open();
      await store.appendLabels(run.id(), ['a']);
      await store.appendLabels(run.id(), ['b', ENROLLED], new Map([['b', FIRST]]));
      const { labels, enrolled } = await explain(store, run.id());
      assert.deepEqual(
        labels.map(({ label }) => label),
        ['b', 'a'],
      );
      assert.ok(labels[1]?.note, 'a label without an origin must have a note');
      assert.equal(enrolled, true, 'the mark of an enrolled session is not a label');
    },
  },
  {
    title: 'explain() of an unknown session is empty, and G6: sessions are isolated',
    body: async (run) => {
      const store = await run.open();
      await store.appendLabels(run.id('s'), ['a'], new Map([['a', FIRST]]));
      assert.deepEqual(await explain(store, run.id()), { enrolled: false, labels: [] });
    },
  },
];

function explain(store: SessionStore, sessionId: string): Promise<SessionExplanation> {
  return store.explain?.(sessionId) ?? assert.fail('the store has no explain()');
}
