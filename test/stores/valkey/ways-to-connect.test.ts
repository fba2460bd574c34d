import { expect } from 'chai';
import { sha256Hex } from '../../../lib/session/digest.js';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../../lib/valkey.js';
import { eventually } from '../../support/eventually.js';
import { runModule } from '../../support/node-child.js';
import { PATIENT } from '../../support/opened-stores.js';
import { expectFailure } from '../../support/store-failure.js';
import type { ValkeyNode } from '../../support/valkey-group.js';
import { describeWithAllWays, type Login, optionsOf, WAYS, type Way } from '../../support/ways-to-connect.js';
import { describeSessionStoreContract } from '../session-store-contract.js';

const LABEL = 'salary-data';
const LOGIN = { username: 'user-of-test', password: 'hunter2' };

/** One library in full; the others where most of their own code runs: with TLS, and to find the servers. */
const isTested = ({ library = 'ioredis 6', isSecure, servers }: Way): boolean =>
  library === 'ioredis 6' || (isSecure && servers !== 'one');
/** The suites of `endpoint`, `sentinels` and `nodes` run it on topologies with replicas. */
const hasContractHere = ({ library, isSecure, servers }: Way): boolean =>
  library !== undefined && !(isSecure && servers === 'one');

/** The server with the labels of a session, and stores that are closed after the test. */
interface Scene {
  readonly session: string;
  readonly key: string;
  readonly server: ValkeyNode;
  /** A store, as the user of the way or as another one. */
  open(login?: Login, options?: ValkeySessionStoreOptions): ValkeySessionStore;
  /** A store as a user with these rights. */
  openWith(...rules: string[]): Promise<ValkeySessionStore>;
}

interface Failure {
  readonly title: string;
  run(scene: Scene): Promise<void>;
}

const FAILURES: readonly Failure[] = [
  {
    title: 'a key of the wrong type rejects loads and appends, and is unchanged',
    run: async ({ session, key, server, open }) => {
      await server.admin.set(key, 'a string');
      await rejects(open().loadLabels(session), 'store.command_failed', session);
      await rejects(open().appendLabels(session, [LABEL]), 'store.command_failed', session);
      expect(await server.admin.get(key)).to.equal('a string');
    },
  },
  {
    title: 'a member that is not UTF-8 rejects the load',
    run: async ({ session, key, server, open }) => {
      await server.admin.sadd(key, 'PII', Buffer.from([0x70, 0xff, 0x70]));
      await rejects(open().loadLabels(session), 'store.malformed_reply', session);
    },
  },
  {
    title: 'a member with a truncated UTF-8 sequence rejects the load',
    run: async ({ session, key, server, open }) => {
      await server.admin.sadd(key, Buffer.from([0x70, 0xe2, 0x9c]));
      await rejects(open().loadLabels(session), 'store.malformed_reply', session);
    },
  },
  {
    title: 'a user without the right to read rejects the load',
    run: async ({ session, openWith }) => {
      const store = await openWith('~*', '+@all', '-smembers');
      await rejects(store.loadLabels(session), 'store.not_permitted', session);
    },
  },
  {
    title: 'a user without the right to write rejects the append',
    run: async ({ session, key, server, openWith }) => {
      const store = await openWith('~*', '+@all', '-sadd');
      expect(await store.loadLabels(session)).to.deep.equal([]);
      await rejects(store.appendLabels(session, [LABEL]), 'store.not_permitted', session);
      expect(await server.admin.exists(key)).to.equal(0);
    },
  },
  {
    title: 'a user without the right to the key rejects both',
    run: async ({ session, openWith }) => {
      const store = await openWith('~other:*', '+@all');
      await rejects(store.loadLabels(session), 'store.not_permitted', session);
      await rejects(store.appendLabels(session, [LABEL]), 'store.not_permitted', session);
    },
  },
  {
    title: 'a wrong password rejects with store.login_failed, and is not shown',
    run: async ({ session, open, openWith }) => {
      await openWith('~*', '+@all');
      const store = open({ ...LOGIN, password: 'hunter2-wrong' }, { connectTimeoutMs: 100 });
      // a busy machine may need longer for the first attempt to connect
      await eventually(() => rejects(store.loadLabels(session), 'store.login_failed', session));
      await eventually(() => rejects(store.appendLabels(session, [LABEL]), 'store.login_failed', session));
    },
  },
];

function rejects(call: Promise<unknown>, code: Parameters<typeof expectFailure>[1], session: string): Promise<unknown> {
  return expectFailure(call, code, [session, sha256Hex(session), LABEL, ...Object.values(LOGIN), 'of-valkey']);
}

describeWithAllWays('each way to connect', (all) => {
  const stores: ValkeySessionStore[] = [];
  afterEach(() => Promise.all(stores.splice(0).map((store) => store.close())));

  for (const way of WAYS.filter(isTested)) {
    describe(way.name, () => {
      // the rights of the documents are those for a TTL, whose tests are slow
      const hasTtl = way.isSecure && (way.library ?? 'ioredis 6') === 'ioredis 6';
      const options = { ...PATIENT, ...(hasTtl && { ttlSeconds: 60 }) };
      const storeWith = (more: ValkeySessionStoreOptions = {}, login?: Login): ValkeySessionStore =>
        new ValkeySessionStore({ ...options, ...more, ...optionsOf(way.setup(all(), login)) });
      const open: Scene['open'] = (login, more) => {
        const store = storeWith(more, login);
        stores.push(store);
        return store;
      };
      beforeEach(() => all().flush());

      if (hasContractHere(way)) {
        describeSessionStoreContract('contract', {
          open: () => storeWith(),
          limit: true,
          close: true,
          check: true,
          ...(hasTtl && { ttl: { open: (ttlSeconds) => storeWith({ ttlSeconds }) } }),
          countBackendCalls: (action) => all().countCommands(action),
        });
        // mocha runs the tests of a suite before its inner suites, so the order needs suites
        describe('after the contract', () => {
          it('the ACLs of Valkey and of the Sentinels have denied nothing', async () => {
            expect(await all().denied()).to.deep.equal([]);
          });
        });
      }

      describe('G2: failures', () => {
        after(() => all().removeUser(LOGIN));
        const openWith = async (...rules: string[]): Promise<ValkeySessionStore> => {
          await all().setUser(LOGIN, rules);
          return open(LOGIN);
        };
        for (const { title, run } of FAILURES) {
          it(title, async () => {
            const [session = ''] = all().sessions(1);
            const [server, member] = all().primaries;
            await run({
              session,
              key: `taint:v1:${sha256Hex(session)}`,
              server: way.servers === 'cluster' ? member : server,
              open,
              openWith,
            });
          });
        }
      });
    });
  }

  it('close() ends a process that has used all of them', async function () {
    this.timeout(30_000);
    const script = `
      import { ValkeySessionStore } from './lib/valkey.ts';
      for (const { options, module, member, args } of JSON.parse(process.env.SETUPS)) {
        const client = module && new (await import(module)).default[member](...args);
        const store = new ValkeySessionStore({ ...(client ? { client } : options), connectTimeoutMs: 2000 });
        await store.appendLabels('s', ['a']);
        await store.close();
      }`;
    const env = { SETUPS: JSON.stringify(WAYS.map((way) => way.setup(all()))) };
    const { code, signal, stderr } = await runModule(script, env, 25_000);
    expect({ code, signal, stderr }).to.deep.equal({ code: 0, signal: null, stderr: '' });
  });
});
