import { AssertionError } from 'node:assert/strict';
import { expect } from 'chai';
import { MemorySessionStore } from '../../lib/index.js';
import { controllableStore, type SessionStoreContractOptions, sessionStoreContract } from '../../lib/testing.js';
import { rejectionOf, thrownBy } from '../support/eventually.js';
import { BROKEN, optionsOf, type Table, tableStore, ttlOptions, withOutage } from './broken-stores.js';

/** The titles of the cases that fail, each with the message of its error. */
async function failuresOf(options: SessionStoreContractOptions): Promise<Map<string, string>> {
  const failures = new Map<string, string>();
  for (const { title, run } of sessionStoreContract(options)) {
    await run().catch((error: Error) => failures.set(title, error.message));
  }
  return failures;
}

describe('sessionStoreContract()', () => {
  it('a correct store of each kind passes', async () => {
    const table: Table = new Map();
    expect(await failuresOf({ open: () => tableStore(table) })).to.deep.equal(new Map());
    const memory = { open: () => new MemorySessionStore(), singleProcess: true, close: true, limit: true };
    expect(await failuresOf(memory)).to.deep.equal(new Map());
    const explained = { ...memory, open: () => new MemorySessionStore({ provenance: true }), provenance: true };
    expect(await failuresOf(explained)).to.deep.equal(new Map());
    expect(await failuresOf(ttlOptions({}))).to.deep.equal(new Map());
    const failing = withOutage(() => Promise.reject(new Error('down')));
    expect(await failuresOf(failing)).to.deep.equal(new Map());
  });

  for (const { what, options, rule } of BROKEN) {
    it(`fails for a store that ${what}`, async () => {
      expect([...(await failuresOf(options())).keys()].filter((title) => rule.test(title))).to.have.length(1);
    });
  }

  it('every case is broken by one of these stores', () => {
    const everything: SessionStoreContractOptions = {
      open: () => new MemorySessionStore(),
      countBackendCalls: async () => 0,
      ttl: { open: () => new MemorySessionStore() },
      limit: true,
      close: true,
      check: true,
      provenance: true,
    };
    const titles = sessionStoreContract(everything).map(({ title }) => title);
    expect(titles.filter((title) => !BROKEN.some(({ rule }) => rule.test(title)))).to.deep.equal([]);
  });

  describe('with an outage, fails for a store that', () => {
    it('is empty while its backend is down', async () => {
      const failures = await failuresOf(withOutage(async () => []));
      expect([...failures.keys()]).to.have.members([
        'G2: a load during an outage rejects in time, and is never empty',
        'G2: an append during an outage rejects in time',
      ]);
    });

    it('hangs while its backend is down', async () => {
      const options = withOutage(() => new Promise(() => {}), { deadlineMs: 20 });
      const cases = sessionStoreContract(options).filter(({ title }) => title.startsWith('G2'));
      const errors = await Promise.all(cases.map(({ run }) => rejectionOf(run())));
      expect(errors.map((error) => (error as Error).message)).to.deep.equal([
        'a load of a session with labels must settle within 20 ms (deadlineMs)',
        'an append must settle within 20 ms (deadlineMs)',
      ]);
    });

    it('loses acknowledged labels', async () => {
      const table: Table = new Map();
      const outage = { start: () => table.clear(), end: () => {} };
      const failures = await failuresOf({ open: () => tableStore(table), outage });
      expect([...failures.keys()]).to.include(
        'G5: acknowledged labels are there after an outage, and the store works again',
      );
    });

    it('has a check() that does not notice', async () => {
      const failures = await failuresOf(withOutage(() => Promise.reject(new Error('down')), { check: async () => [] }));
      expect([...failures.keys()]).to.deep.equal(['check() during an outage rejects']);
    });
  });

  it('the error of a case is an AssertionError that says the rule', async () => {
    const options = optionsOf(() => ({ loadLabels: async () => 'secret' }));
    const [first] = sessionStoreContract(options);
    const error = await rejectionOf(first?.run() ?? Promise.resolve());
    expect(error).to.be.instanceOf(AssertionError);
    expect(error)
      .to.have.property('message')
      .that.matches(/must resolve with an iterable of strings, but .* string/);
  });

  it('closes every store, also after a failure', async () => {
    let open = 0;
    const failing = optionsOf(() => {
      open += 1;
      return {
        loadLabels: async () => 'no labels',
        close: async () => {
          open -= 1;
        },
      };
    });
    await failuresOf(failing);
    expect(open).to.equal(0);
  });

  it('the controllable store passes, and so does one with a delay', async () => {
    const open = () => {
      const store = controllableStore();
      store.delay('append', 1);
      return store;
    };
    const options = { singleProcess: true, close: true, limit: true };
    expect(await failuresOf({ ...options, open: () => controllableStore() })).to.deep.equal(new Map());
    expect(await failuresOf({ ...options, open })).to.deep.equal(new Map());
  });

  it('refuses options that it does not know', () => {
    const options = { open: () => new MemorySessionStore(), limits: true } as SessionStoreContractOptions;
    const error = thrownBy(() => sessionStoreContract(options));
    expect(error).to.have.property('code', 'config.invalid');
    expect(error).to.have.property('message').that.includes("unknown option 'limits'; did you mean 'limit'?");
  });
});
