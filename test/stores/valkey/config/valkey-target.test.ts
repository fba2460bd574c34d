import { inspect } from 'node:util';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { AplSessionError } from '../../../../lib/contract/errors.js';
import { sessionStoreBlock } from '../../../../lib/stores/cpex-store-block.js';
import {
  parseValkeyConfig,
  type ValkeySessionStoreOptions,
} from '../../../../lib/stores/valkey/config/valkey-config.js';
import { ValkeySessionStore, valkeySessionStoreFactory } from '../../../../lib/stores/valkey/valkey-session-store.js';
import { thrownBy } from '../../../support/eventually.js';

const endpoint = 'localhost:6379';
const sentinels = ['localhost:26379'];
const nodes = ['localhost:7000'];
const name = 'labels';
const secret = 'hunter2';

describe('ways to connect', () => {
  const parsed = (options: ValkeySessionStoreOptions): Record<string, unknown> => ({ ...parseValkeyConfig(options) });

  it('sentinels: each has the default port 26379, and its own login', () => {
    const { sentinels: list, primary } = parsed({
      sentinels: ['localhost', '127.0.0.1:5000'],
      name,
      username: 'labels',
      password: secret,
      sentinelUsername: 'finder',
      sentinelPassword: 'other',
    });
    expect(list).to.deep.equal({
      addresses: [
        { host: 'localhost', port: 26_379 },
        { host: '127.0.0.1', port: 5_000 },
      ],
      tls: false,
      username: 'finder',
      password: 'other',
    });
    expect(primary).to.deep.equal({ tls: false, username: 'labels', password: secret });
  });

  it('nodes: each has the default port 6379, and all have the same login', () => {
    const { nodes: list } = parsed({ nodes: ['rediss://a.internal', 'rediss://b.internal:7000'], password: secret });
    expect(list).to.deep.equal({
      addresses: [
        { host: 'a.internal', port: 6_379 },
        { host: 'b.internal', port: 7_000 },
      ],
      tls: true,
      password: secret,
    });
  });

  for (const [what, options] of [
    ['tls: true', { sentinels: ['s.internal'], tls: true }],
    ['rediss://', { sentinels: ['rediss://s.internal'] }],
  ] as const) {
    it(`${what} means TLS to the Sentinels and to the primary`, () => {
      const { sentinels: list, primary } = parsed({ ...options, name });
      expect(list).to.have.property('tls', true);
      expect(primary).to.have.property('tls', true);
    });
  }

  it('a CPEX configuration has the same options in snake_case', async () => {
    const { kind: _, ...options } = sessionStoreBlock({
      global: { session_store: { kind: 'valkey', sentinels, name, sentinel_username: 'u', sentinel_password: secret } },
    });
    expect(parsed(options)).to.have.property('sentinels').that.includes({ username: 'u', password: secret });
  });

  it('lists are copied and frozen', () => {
    const list = ['localhost:7000'];
    const { nodes: copy } = parsed({ nodes: list }) as { nodes: { addresses: unknown[] } };
    list.push('localhost:7001');
    expect(copy.addresses).to.be.frozen.and.to.have.length(1);
    expect(copy).to.be.frozen;
  });

  it('no secret is visible in the store', () => {
    const store = new ValkeySessionStore({ sentinels, name, password: secret, sentinelPassword: `${secret}!` });
    expect(inspect(store, { depth: 10, showHidden: true }) + JSON.stringify(store)).to.not.include(secret);
  });

  const client = new Redis({ lazyConnect: true });
  for (const { what, options, fix } of [
    { what: 'nothing', options: {}, fix: "'sentinels' and 'name'" },
    { what: 'two ways', options: { endpoint, nodes }, fix: "'endpoint' and 'nodes' exclude each other; keep one" },
    { what: 'three ways', options: { endpoint, sentinels, client }, fix: "'endpoint' and 'sentinels' and 'client'" },
    { what: 'a client with a password', options: { client, password: secret }, fix: 'remove tls' },
    { what: 'sentinels without name', options: { sentinels }, fix: 'sentinel monitor' },
    { what: 'a name without sentinels', options: { endpoint, name }, fix: "'name' belongs to 'sentinels'" },
    {
      what: 'a password of Sentinels without sentinels',
      options: { nodes, sentinelPassword: secret },
      fix: "'sentinelPassword' belongs to 'sentinels'",
    },
    { what: 'an empty list of sentinels', options: { sentinels: [], name }, fix: 'give at least one address' },
    { what: 'an empty list of nodes', options: { nodes: [] }, fix: 'give at least one address' },
    { what: 'one text as sentinels', options: { sentinels: 'localhost', name }, fix: "'sentinels' must be an array" },
    { what: 'objects as nodes', options: { nodes: [{ host: 'a', port: 1 }] }, fix: 'host:port or rediss://host:port' },
    { what: 'an empty name', options: { sentinels, name: '' }, fix: "'name'" },
    { what: 'a malformed address', options: { nodes: ['localhost:port'] }, fix: 'rediss://host:port or host:port' },
    { what: 'two addresses in one', options: { nodes: ['localhost:1,localhost:2'] }, fix: 'or host:port' },
    { what: 'port 0', options: { nodes: ['localhost:0'] }, fix: 'port 0' },
    { what: 'plain text to another machine', options: { nodes: ['redis://a.internal'] }, fix: 'use a rediss:// URL' },
    {
      what: 'Sentinels in plain text on another machine',
      options: { sentinels: ['s.internal:26379'], name },
      fix: 'use a rediss:// URL',
    },
    { what: 'redis:// with tls', options: { nodes: ['redis://a.internal'], tls: true }, fix: 'rediss://' },
    { what: 'TLS for some', options: { nodes: ['localhost:1', 'rediss://localhost:2'] }, fix: 'rediss:// for all' },
    {
      what: 'credentials in an address of a Sentinel',
      options: { sentinels: [`rediss://u:${secret}@s.internal`], name },
      fix: "'sentinelUsername' and 'sentinelPassword'",
    },
    {
      what: 'credentials in an address of a node',
      options: { nodes: [`u:${secret}@localhost:7000`] },
      fix: "'username' and 'password'",
    },
    { what: 'a database', options: { nodes: ['redis://localhost:7000/3'] }, fix: 'database number' },
    { what: 'a username alone', options: { nodes, username: 'u' }, fix: "'username' needs a 'password'" },
    { what: 'a username alone for Valkey', options: { sentinels, name, username: 'u' }, fix: "needs a 'password'" },
    {
      what: 'a username alone for Sentinel',
      options: { sentinels, name, sentinelUsername: 'u' },
      fix: "'sentinelUsername' needs a 'sentinelPassword'",
    },
    { what: 'a broken ca', options: { nodes: ['rediss://a'], tls: { ca: 'ca.pem' } }, fix: 'tls.ca' },
  ]) {
    it(`${what}: config.invalid says: ${fix}`, () => {
      for (const construct of [
        () => new ValkeySessionStore(options as unknown as ValkeySessionStoreOptions),
        () => valkeySessionStoreFactory.build({ kind: 'valkey', ...options }),
      ]) {
        const error = thrownBy(construct);
        expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
        expect((error as AplSessionError).message).to.include(fix);
        expect(inspect(error, { depth: 10 }) + JSON.stringify(error)).to.not.include(secret);
      }
    });
  }
});
