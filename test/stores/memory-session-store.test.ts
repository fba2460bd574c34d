import { expect } from 'chai';
import { AplSessionError } from '../../lib/contract/errors.js';
import {
  MemorySessionStore,
  type MemorySessionStoreOptions,
  memorySessionStoreFactory,
} from '../../lib/stores/memory-session-store.js';
import type { SessionStoreContractOptions } from '../../lib/testing.js';
import { eventually, rejectionOf, thrownBy } from '../support/eventually.js';
import { runModule } from '../support/node-child.js';
import { describeSessionStoreContract } from './session-store-contract.js';

function contractOptions(options: MemorySessionStoreOptions): SessionStoreContractOptions {
  let store = new MemorySessionStore();
  return {
    open: () => {
      store = new MemorySessionStore(options);
      return store;
    },
    singleProcess: true,
    countBackendCalls: async (action) => {
      const before = store.size;
      await action();
      return store.size - before;
    },
    limit: true,
    close: true,
    provenance: options.provenance === true,
    ttl: { open: (ttlSeconds) => new MemorySessionStore({ ttlSeconds }) },
  };
}

describe('MemorySessionStore', () => {
  describeSessionStoreContract('contract, without a TTL', contractOptions({}));
  describeSessionStoreContract('contract, with a TTL', contractOptions({ ttlSeconds: 60 }));

  describeSessionStoreContract('contract, with provenance', contractOptions({ provenance: true }));

  describe('maxLabelsPerSession', () => {
    const TOO_MANY = 'store.too_many_labels';

    it('G2, G5: an append beyond it is rejected whole, known labels are free', async () => {
      const store = new MemorySessionStore({ maxLabelsPerSession: 3 });
      await store.appendLabels('s', ['a', 'b', 'b']);
      expect(await rejectionOf(store.appendLabels('s', ['c', 'd']))).to.have.property('code', TOO_MANY);
      expect(await store.loadLabels('s')).to.deep.equal(['a', 'b']);
      await store.appendLabels('s', ['a', 'b', 'c', 'c']);
      expect(await rejectionOf(store.appendLabels('s', ['d']))).to.have.property('code', TOO_MANY);
      await store.appendLabels('other', ['d']);
      expect(await store.loadLabels('s')).to.deep.equal(['a', 'b', 'c']);
    });

    it('a new session beyond it takes no room', async () => {
      const store = new MemorySessionStore({ maxLabelsPerSession: 1 });
      expect(await rejectionOf(store.appendLabels('s', ['a', 'b']))).to.have.property('code', TOO_MANY);
      expect(store.size).to.equal(0);
    });

    it('is 1,000 by default, and a member of the store, like ttlSeconds', () => {
      expect(new MemorySessionStore()).to.include({ maxLabelsPerSession: 1_000, ttlSeconds: undefined });
      const options = { maxLabelsPerSession: 5, ttlSeconds: 7 };
      const store = new MemorySessionStore(options);
      expect(store).to.include(options);
      return store.close();
    });
  });

  describe('maxSessions', () => {
    it('a new session beyond it is rejected, and no session is evicted', async () => {
      const store = new MemorySessionStore({ maxSessions: 2 });
      await store.appendLabels('one', ['a']);
      await store.appendLabels('two', ['b']);
      expect(await rejectionOf(store.appendLabels('three', ['c']))).to.have.property('code', 'store.full');
      expect(await store.loadLabels('one')).to.deep.equal(['a']);
      expect(await store.loadLabels('two')).to.deep.equal(['b']);
      expect(await store.loadLabels('three')).to.deep.equal([]);
      expect(store.size).to.equal(2);
    });

    it('known sessions still grow in a full store', async () => {
      const store = new MemorySessionStore({ maxSessions: 1 });
      await store.appendLabels('one', ['a']);
      await store.appendLabels('one', ['b']);
      expect(await store.loadLabels('one')).to.deep.equal(['a', 'b']);
    });

    it('loads of unknown sessions take no room', async () => {
      const store = new MemorySessionStore({ maxSessions: 1 });
      await store.loadLabels('one');
      await store.loadLabels('two');
      expect(store.size).to.equal(0);
    });

    it('expired sessions make room before a session is rejected', async () => {
      const store = new MemorySessionStore({ maxSessions: 1, ttlSeconds: 1 });
      await store.appendLabels('one', ['a']);
      expect(await rejectionOf(store.appendLabels('two', ['b']))).to.have.property('code', 'store.full');
      await eventually(() => store.appendLabels('two', ['b']), { withinMs: 3_000 });
      expect(await store.loadLabels('one')).to.deep.equal([]);
      // once more, after a sweep that has left no session
      await eventually(() => store.appendLabels('three', ['c']), { withinMs: 3_000 });
      expect(await store.loadLabels('two')).to.deep.equal([]);
      await store.close();
    });
  });

  describe('ttlSeconds', () => {
    it('is sliding: loads and appends keep a session alive', async () => {
      const store = new MemorySessionStore({ ttlSeconds: 1 });
      await store.appendLabels('idle', ['a']);
      await store.appendLabels('loaded', ['a']);
      await store.appendLabels('appended', ['a']);
      const start = performance.now();
      await eventually(
        async () => {
          expect(await store.loadLabels('loaded')).to.deep.equal(['a']);
          await store.appendLabels('appended', ['b']);
          return performance.now() - start > 1_500;
        },
        { everyMs: 20 },
      );
      expect(await store.loadLabels('idle')).to.deep.equal([]);
      expect(await store.loadLabels('appended')).to.deep.equal(['a', 'b']);
      await store.close();
    });

    it('a session that expired starts empty', async () => {
      const store = new MemorySessionStore({ ttlSeconds: 1 });
      await store.appendLabels('s', ['a']);
      await eventually(() => store.size === 0, { withinMs: 4_000 });
      await store.appendLabels('s', ['b']);
      expect(await store.loadLabels('s')).to.deep.equal(['b']);
      await store.close();
    });

    it('expired sessions are freed without a call', async () => {
      const store = new MemorySessionStore({ ttlSeconds: 1 });
      for (let index = 0; index < 100; index += 1) await store.appendLabels(`s${index}`, ['a']);
      expect(store.size).to.equal(100);
      await eventually(() => store.size === 0, { withinMs: 4_000 });
      await store.close();
    });

    it('without it, nothing expires', async () => {
      const store = new MemorySessionStore();
      await store.appendLabels('s', ['a']);
      expect(await store.loadLabels('s')).to.deep.equal(['a']);
      expect(store.size).to.equal(1);
    });

    it('the sweep timer does not keep a process alive', async function () {
      this.timeout(20_000);
      const { code, signal, stderr } = await runModule(`
        import { MemorySessionStore } from './lib/index.ts';
        const store = new MemorySessionStore({ ttlSeconds: 3600 });
        await store.appendLabels('s', ['a']);`);
      expect({ code, signal, stderr }).to.deep.equal({ code: 0, signal: null, stderr: '' });
    });
  });

  describe('in production', () => {
    const CREATE = `import { MemorySessionStore } from './lib/index.ts'; new MemorySessionStore();`;

    it('warns once that labels do not outlive the process', async function () {
      this.timeout(20_000);
      const { code, stderr } = await runModule(CREATE, { NODE_ENV: 'production' });
      expect(code).to.equal(0);
      expect(stderr.match(/APL_MEMORY_STORE/g)).to.have.length(1);
    });

    it('is silent elsewhere', async function () {
      this.timeout(20_000);
      expect(await runModule(CREATE, { NODE_ENV: 'development' })).to.include({ code: 0, stderr: '' });
    });
  });

  describe('options', () => {
    const invalid: ReadonlyArray<{ what: string; options: unknown; names: string }> = [
      { what: 'an unknown key', options: { maxSession: 1 }, names: 'maxSession' },
      { what: 'maxSessions 0', options: { maxSessions: 0 }, names: 'maxSessions' },
      { what: 'maxSessions that is no integer', options: { maxSessions: 1.5 }, names: 'maxSessions' },
      { what: 'maxSessions as text', options: { maxSessions: '5' }, names: 'maxSessions' },
      { what: 'ttlSeconds 0', options: { ttlSeconds: 0 }, names: 'ttlSeconds' },
      { what: 'ttlSeconds NaN', options: { ttlSeconds: Number.NaN }, names: 'ttlSeconds' },
      { what: 'ttlSeconds beyond 2^31 - 1', options: { ttlSeconds: 2 ** 31 }, names: 'ttlSeconds' },
      { what: 'null', options: null, names: 'options' },
    ];
    for (const { what, options, names } of invalid) {
      it(`${what} is config.invalid, and the message names the option`, () => {
        const error = thrownBy(() => new MemorySessionStore(options as MemorySessionStoreOptions));
        expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
        expect((error as Error).message).to.include(names);
      });
    }

    it('the options object is neither kept nor changed', async () => {
      const options = { maxSessions: 1 };
      const store = new MemorySessionStore(options);
      options.maxSessions = 5;
      await store.appendLabels('one', ['a']);
      expect(await rejectionOf(store.appendLabels('two', ['a']))).to.have.property('code', 'store.full');
    });
  });

  describe('factory', () => {
    it('builds from a block and passes the options on', async () => {
      const store = memorySessionStoreFactory.build({ kind: 'memory', maxSessions: 1 });
      await store.appendLabels('one', ['a']);
      expect(await rejectionOf(store.appendLabels('two', ['a']))).to.have.property('code', 'store.full');
    });

    it('refuses an unknown key in the block', () => {
      expect(thrownBy(() => memorySessionStoreFactory.build({ kind: 'memory', ttl: 1 }))).to.have.property(
        'code',
        'config.invalid',
      );
    });
  });
});
