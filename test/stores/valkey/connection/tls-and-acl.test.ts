import { expect } from 'chai';
import type { Alarm } from '../../../../lib/contract/alarms.js';
import { sha256Hex } from '../../../../lib/session/digest.js';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../../../lib/valkey.js';
import { isOfCalls } from '../../../support/alarms.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { openedStores, PATIENT } from '../../../support/opened-stores.js';
import { describeWithSecureValkey, PASSWORD, USERNAME } from '../../../support/secure-valkey.js';
import { describeSessionStoreContract } from '../../session-store-contract.js';

/** The rights that docs/errors.md tells operators to grant. */
const MODES: ReadonlyArray<{ mode: string; options: ValkeySessionStoreOptions; commands: readonly string[] }> = [
  { mode: 'without a TTL', options: {}, commands: ['smembers', 'sadd'] },
  { mode: 'with a TTL', options: { ttlSeconds: 60 }, commands: ['smembers', 'sadd', 'expire', 'multi', 'exec'] },
];

/** The store works without these: the promise to refuse reads when demoted, the probe, and the self-check. */
const OPTIONAL = ['client|capa', 'echo', 'info', 'config|get'];

const rightsTo = (commands: readonly string[]): string[] => commands.map((command) => `+${command}`);

describeWithSecureValkey('ValkeySessionStore over TLS with a client certificate, as an ACL user', (server) => {
  const open = openedStores(() => PATIENT);
  const storeWith = (options: ValkeySessionStoreOptions = {}): ValkeySessionStore =>
    open({ ...server().options, ...options });
  const alarmsOf = (store: ValkeySessionStore): Alarm[] => {
    const alarms: Alarm[] = [];
    store.onAlarm((alarm) => isOfCalls(alarm) && alarms.push(alarm));
    return alarms;
  };
  /** The commands of these that were denied; each once. */
  const deniedOf = async (commands: readonly string[]): Promise<string[]> => {
    const denied = new Set(await server().denied());
    return commands.map((command) => `command ${command}`).filter((command) => denied.has(command));
  };
  beforeEach(() => server().plain.flush());
  for (const { mode, options, commands } of MODES) {
    describe(mode, () => {
      describe('with the fewest rights', () => {
        before(() => server().grant('~taint:v1:*', ...rightsTo([...commands, ...OPTIONAL])));

        describeSessionStoreContract('contract', {
          open: () => new ValkeySessionStore({ ...server().options, ...PATIENT, ...options }),
          limit: true,
          close: true,
          check: true,
          // without a TTL the user has no right to expire keys
          ...('ttlSeconds' in options && {
            ttl: {
              open: (ttlSeconds) => new ValkeySessionStore({ ...server().options, ...PATIENT, ...options, ttlSeconds }),
            },
          }),
          countBackendCalls: async (action) => {
            const counts = await server().plain.countCommands(action);
            return Object.values(counts).reduce((sum, count) => sum + count, 0);
          },
        });

        it('Valkey denied no command in all that', async () => {
          expect(await server().denied()).to.deep.equal([]);
        });

        it('the documentation lists exactly these rights', async () => {
          const store = storeWith({ keyPrefix: 'other', ...options });
          expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.not_permitted');
        });
      });

      for (const missing of OPTIONAL) {
        it(`without the right to ${missing} all calls work`, async () => {
          const rights = [...commands, ...OPTIONAL].filter((command) => command !== missing);
          await server().grant('~taint:v1:*', ...rightsTo(rights));
          const store = storeWith(options);
          await store.appendLabels('s', ['a']);
          expect(await store.loadLabels('s')).to.deep.equal(['a']);
          expect(await deniedOf(commands)).to.deep.equal([]);
        });
      }

      for (const missing of commands) {
        it(`without the right to ${missing} calls fail, and the error says so`, async () => {
          await server().grant('~taint:v1:*', ...rightsTo(commands.filter((command) => command !== missing)));
          const store = storeWith(options);
          const alarms = alarmsOf(store);
          const outcomes = await Promise.all(
            [store.loadLabels('s'), store.appendLabels('s', ['a'])].map((call) =>
              call.then(
                () => 'done',
                (error: { code: string }) => error.code,
              ),
            ),
          );
          expect(outcomes).to.deep.equal(
            missing === 'smembers' ? ['store.not_permitted', 'done'] : ['done', 'store.not_permitted'],
          );
          if (missing === 'expire') await eventually(() => expect(alarms).to.have.length(1));
          expect(await deniedOf(commands)).to.deep.equal([`command ${missing}`]);
        });
      }

      for (const { pattern, fails } of [
        { pattern: '~taint:v1', fails: ['load', 'append'] },
        { pattern: '~other:*', fails: ['load', 'append'] },
        { pattern: '%R~taint:v1:*', fails: ['append'] },
        { pattern: '%W~taint:v1:*', fails: ['load'] },
      ]) {
        it(`with the keys ${pattern} only, ${fails.join(' and ')} are not permitted`, async () => {
          await server().grant(pattern, ...rightsTo(commands));
          const store = storeWith(options);
          const failed: string[] = [];
          for (const [name, call] of [
            ['load', () => store.loadLabels('s')],
            ['append', () => store.appendLabels('s', ['a'])],
          ] as const) {
            await call().catch((error: { code: string }) => {
              expect(error.code).to.equal('store.not_permitted');
              failed.push(name);
            });
          }
          expect(failed).to.deep.equal(fails);
        });
      }
    });
  }

  describe('a database other than 0', () => {
    const endpointOf = (db: number): string => {
      const url = new URL(`rediss://${server().endpoint}/${db}`);
      url.username = encodeURIComponent(USERNAME);
      url.password = encodeURIComponent(PASSWORD);
      return url.href;
    };
    const storeIn = (db: number): ValkeySessionStore => open({ endpoint: endpointOf(db), tls: server().options.tls });

    it('needs the right to select, also with credentials in the URL', async () => {
      await server().grant('~taint:v1:*', ...rightsTo(['smembers', 'sadd', 'select', ...OPTIONAL]));
      await storeIn(3).appendLabels('s', ['a']);
      expect(await server().plain.admin.exists(`taint:v1:${sha256Hex('s')}`)).to.equal(0);
      expect(await storeIn(3).loadLabels('s')).to.deep.equal(['a']);
      expect(await server().denied()).to.deep.equal([]);
      await server().plain.admin.flushall();
    });

    it('is never replaced by database 0: without that right calls reject', async () => {
      await server().plain.admin.sadd(`taint:v1:${sha256Hex('s')}`, 'of-database-0');
      await server().grant('~taint:v1:*', '+smembers', '+sadd');
      const store = storeIn(3);
      expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.not_permitted');
      expect(await rejectionOf(store.appendLabels('s', ['a']))).to.have.property('code', 'store.not_permitted');
    });

    it('is never replaced by database 0: with a missing number calls reject', async () => {
      await server().grant('~taint:v1:*', ...rightsTo(['smembers', 'sadd', 'select', ...OPTIONAL]));
      const error = await rejectionOf(storeIn(999).loadLabels('s'));
      expect(error).to.include({ code: 'store.unavailable' });
      expect((error as Error).message).to.include('does not have this database');
    });
  });

  describe('a password that rotates', () => {
    const rotateTo = async (password: string): Promise<void> => {
      const { admin } = server().plain;
      await admin.call('ACL', 'SETUSER', USERNAME, 'resetpass', `>${password}`);
      await admin.call('CLIENT', 'KILL', 'USER', USERNAME);
    };
    beforeEach(() => server().grant('~taint:v1:*', '+smembers', '+sadd'));

    for (const { what, later } of [
      { what: 'a function', later: (password: string): string | Promise<string> => password },
      {
        what: 'an async function',
        later: (password: string) => new Promise<string>((resolve) => setTimeout(resolve, 20, password)),
      },
    ]) {
      it(`${what} is called once for each connection`, async () => {
        let current = PASSWORD;
        let asked = 0;
        const store = storeWith({
          password: () => {
            asked += 1;
            return later(current);
          },
        });
        expect(asked).to.equal(0);
        await store.appendLabels('s', ['a']);
        await store.appendLabels('s', ['b']);
        expect(asked).to.equal(1);
        current = 'the next one';
        await rotateTo(current);
        await eventually(() => store.appendLabels('s', ['c']));
        expect(asked).to.equal(2);
        expect((await store.loadLabels('s')).sort()).to.deep.equal(['a', 'b', 'c']);
      });
    }

    it('a password that comes too late for one attempt is used by the next', async () => {
      const passwords = ['yesterday', PASSWORD];
      const store = storeWith({ password: () => passwords.shift() ?? PASSWORD });
      expect(await store.loadLabels('s')).to.deep.equal([]);
      expect((await server().denied()).filter((denied) => !denied.startsWith('command'))).to.have.length(1);
    });

    it('an open connection stays in use', async () => {
      const store = storeWith();
      await store.loadLabels('s');
      await server().plain.admin.call('ACL', 'SETUSER', USERNAME, 'resetpass', '>another');
      expect(await store.loadLabels('s')).to.deep.equal([]);
    });

    for (const { what, password, says } of [
      {
        what: 'throws',
        password: () => {
          throw new Error(PASSWORD);
        },
        says: 'has thrown an error',
      },
      { what: 'rejects', password: () => Promise.reject(new Error(PASSWORD)), says: 'its promise was rejected' },
      { what: 'returns nothing', password: () => undefined as unknown as string, says: 'it returned undefined' },
      { what: 'returns an empty text', password: async () => '', says: 'returned an empty string' },
      {
        what: 'returns something else than a text',
        password: async () => ({ PASSWORD }) as unknown as string,
        says: 'must return a string; it returned an object',
      },
    ]) {
      it(`a function that ${what}: store.login_failed says it, and not its text`, async () => {
        const error = await rejectionOf(storeWith({ connectTimeoutMs: 200, password }).loadLabels('s'));
        expect(error).to.have.property('code', 'store.login_failed');
        expect((error as Error).message)
          .to.include('password function')
          .and.include(says)
          .and.not.include(PASSWORD);
      });
    }

    it('a function that never answers: the call rejects in time', async () => {
      const store = storeWith({ connectTimeoutMs: 100, password: () => new Promise(() => {}) });
      expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.unavailable');
    });
  });
});
