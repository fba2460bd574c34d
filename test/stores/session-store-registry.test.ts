import { expect } from 'chai';
import { AplSessionError, type AplSessionErrorCode } from '../../lib/contract/errors.js';
import type { SessionStore, SessionStoreFactory } from '../../lib/contract/session-store.js';
import { MemorySessionStore } from '../../lib/stores/memory-session-store.js';
import { buildSessionStore, isSessionStore } from '../../lib/stores/session-store-registry.js';
import { valkeySessionStoreFactory } from '../../lib/stores/valkey/valkey-session-store.js';
import { thrownBy } from '../support/eventually.js';

const store: SessionStore = { loadLabels: async () => [], appendLabels: async () => {} };
const factory = (build: SessionStoreFactory['build']): SessionStoreFactory => ({ kind: 'custom', build });

function failure(block: unknown, factories: readonly SessionStoreFactory[] = []): AplSessionError {
  const error = thrownBy(() => buildSessionStore(block, factories));
  expect(error).to.be.instanceOf(AplSessionError);
  return error as AplSessionError;
}

describe('session store registry', () => {
  it("'memory' is built in", () => {
    expect(buildSessionStore({ kind: 'memory', maxSessions: 5 }, [])).to.be.instanceOf(MemorySessionStore);
  });

  it('the kind selects the factory, which gets a frozen copy of the block', () => {
    const block = { kind: 'custom', option: 1 };
    let given: unknown;
    const built = buildSessionStore(block, [
      { kind: 'other', build: () => expect.fail('the wrong factory was asked') },
      factory((received) => {
        given = received;
        return store;
      }),
    ]);
    expect(built).to.equal(store);
    expect(given).to.deep.equal(block);
    expect(given).to.not.equal(block);
    expect(given).to.be.frozen;
  });

  it("a registered factory may replace the built-in 'memory'", () => {
    expect(buildSessionStore({ kind: 'memory' }, [{ kind: 'memory', build: () => store }])).to.equal(store);
  });

  for (const { what, block } of [
    { what: 'undefined', block: undefined },
    { what: 'null', block: null },
    { what: 'a string', block: 'memory' },
    { what: 'a number', block: 5 },
    { what: 'an array', block: [{ kind: 'memory' }] },
    { what: 'a function', block: () => store },
  ]) {
    it(`a block that is ${what} is config.invalid, with an example`, () => {
      const { code, message } = failure(block);
      expect(code).to.equal('config.invalid');
      expect(message).to.include("{ kind: 'memory' }");
    });
  }

  for (const { what, block } of [
    { what: 'no kind', block: { endpoint: 'localhost:6379' } },
    { what: 'an empty kind', block: { kind: '' } },
    { what: 'a kind that is no string', block: { kind: 5 } },
  ]) {
    it(`a block with ${what} is config.store_kind_missing, and names two kinds`, () => {
      const { code, message } = failure(block);
      expect(code).to.equal('config.store_kind_missing');
      expect(message).to.include("kind: 'memory'").and.to.include("kind: 'valkey'");
    });
  }

  it('an unknown kind is config.store_kind_unknown, and says what to do', () => {
    const { code, message } = failure({ kind: 'valky' }, [valkeySessionStoreFactory]);
    expect(code).to.equal('config.store_kind_unknown');
    expect(message).to.include("'valky'").and.include('storeFactories').and.include('express-apl-session/valkey');
  });

  it("'valkey' without its factory is config.store_kind_unknown with the fix", () => {
    const { code, message } = failure({ kind: 'valkey', endpoint: 'localhost:6379' });
    expect(code).to.equal('config.store_kind_unknown');
    expect(message).to.include('valkeySessionStoreFactory');
  });

  for (const kind of ['constructor', '__proto__', 'toString']) {
    it(`a kind that is the name of an object member (${kind}) is unknown`, () => {
      expect(failure(JSON.parse(`{"kind":"${kind}"}`)).code).to.equal('config.store_kind_unknown');
    });
  }

  it('a factory that throws is config.store_build_failed with the cause', () => {
    const cause = new Error('password=hunter2');
    const { code, message } = failure({ kind: 'custom' }, [
      factory(() => {
        throw cause;
      }),
    ]);
    expect(code).to.equal('config.store_build_failed' satisfies AplSessionErrorCode);
    expect(message).to.include("'custom'").and.not.include('hunter2');
    const error = failure({ kind: 'custom' }, [
      factory(() => {
        throw cause;
      }),
    ]);
    expect(error.cause).to.equal(cause);
  });

  it('a coded error of a factory keeps its code', () => {
    expect(failure({ kind: 'memory', maxSessions: 0 }).code).to.equal('config.invalid');
    expect(failure({ kind: 'valkey' }, [valkeySessionStoreFactory]).code).to.equal('config.invalid');
  });

  for (const { what, value } of [
    { what: 'nothing', value: undefined },
    { what: 'a store without appendLabels', value: { loadLabels: async () => [] } },
    { what: 'a store whose loadLabels is no function', value: { loadLabels: [], appendLabels: async () => {} } },
    { what: 'a promise of a store', value: Promise.resolve(store) },
  ]) {
    it(`a factory that returns ${what} is config.store_build_failed`, () => {
      const { code, message } = failure({ kind: 'custom' }, [factory(() => value as unknown as SessionStore)]);
      expect(code).to.equal('config.store_build_failed');
      expect(message).to.include('loadLabels').and.include('appendLabels');
    });
  }

  it('isSessionStore() distinguishes stores from blocks and undefined', () => {
    expect(isSessionStore(store)).to.equal(true);
    expect(isSessionStore(new MemorySessionStore())).to.equal(true);
    for (const value of [undefined, null, 'memory', { kind: 'memory' }, { loadLabels: async () => [] }]) {
      expect(isSessionStore(value)).to.equal(false);
    }
  });
});
