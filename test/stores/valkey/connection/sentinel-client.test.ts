import { expect } from 'chai';
import ioredis6 from 'ioredis';
import ioredis5 from 'ioredis5';
import iovalkey from 'iovalkey';
import { AplSessionError } from '../../../../lib/contract/errors.js';
import { sha256Hex } from '../../../../lib/session/digest.js';
import { ValkeySessionStore } from '../../../../lib/valkey.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import {
  describeWithGroup,
  type GroupSecurity,
  SENTINEL_CLIENT_RIGHTS,
  SENTINEL_CREDENTIALS,
  SENTINEL_RIGHTS,
  VALKEY_RIGHTS,
} from '../../../support/group-security.js';
import type { ValkeyNode } from '../../../support/valkey-group.js';

const KEY = `taint:v1:${sha256Hex('s')}`;
const SERVER = ['--save', '', '--repl-diskless-sync-delay', '0'];

interface Client {
  readonly status: string;
  disconnect(): void;
  on(event: 'error', listener: () => void): unknown;
}
type ClientClass = new (options: object) => Client;

const CLIENTS: ReadonlyArray<readonly [name: string, client: ClientClass]> = [
  ['ioredis 6', ioredis6.default as unknown as ClientClass],
  ['ioredis 5', ioredis5.default as unknown as ClientClass],
  ['iovalkey', iovalkey.default as unknown as ClientClass],
];

/** Each library in plain text, and one over TLS with client certificates and the documented rights. */
const SUITES = [...CLIENTS.map((client) => ({ client, isSecure: false })), { client: CLIENTS[0], isSecure: true }];

for (const { client: [name, ClientClass] = expect.fail('there are clients'), isSecure } of SUITES) {
  describeWithGroup(
    `ValkeySessionStore on a client of ${name} that asks Sentinel`,
    { size: 6, isSecure },
    (group, securityOf) => {
      let primary: ValkeyNode;
      let replica: ValkeyNode;
      let sentinel: ValkeyNode;
      const clients: Client[] = [];
      const stores: ValkeySessionStore[] = [];
      const storeWith = (): ValkeySessionStore => {
        const security = securityOf();
        const client = new ClientClass({
          sentinels: [{ host: '127.0.0.1', port: sentinel.peerPort }],
          name: 'labels',
          failoverDetector: true,
          sentinelRetryStrategy: () => 50,
          retryStrategy: () => 50,
          ...(security && {
            ...security.options,
            ...SENTINEL_CREDENTIALS,
            sentinelTLS: security.options.tls,
            enableTLSForSentinelMode: true,
          }),
        });
        client.on('error', () => {});
        clients.push(client);
        const store = new ValkeySessionStore({ client, connectTimeoutMs: 400, commandTimeoutMs: 400 });
        stores.push(store);
        return store;
      };
      const isPrimary = async ({ admin }: ValkeyNode): Promise<boolean> =>
        (await admin.info('replication')).includes('role:master');
      const holds = (node: ValkeyNode, label: string): Promise<unknown> =>
        eventually(async () => (await node.admin.sismember(KEY, label)) === 1);
      /** Sentinel knows the replica, and that it could become the primary. */
      const isWatched = async (): Promise<boolean> =>
        String(await sentinel.admin.call('SENTINEL', 'REPLICAS', 'labels')).includes('master-link-status,ok');

      // each test has its own: what Sentinel knows of those that have changed their roles is old for some seconds
      beforeEach('has Sentinel watch a primary and its replica', async function () {
        this.timeout(60_000);
        primary = await group().start(...SERVER);
        replica = await group().start(...SERVER, '--replicaof', `127.0.0.1 ${primary.peerPort}`);
        await eventually(async () => (await replica.admin.info('replication')).includes('master_link_status:up'));
        sentinel = await group().start('--sentinel');
        const security = securityOf();
        if (security) await grantFewestRights(security, [primary, replica], sentinel);
        const ask = (...args: string[]): Promise<unknown> => sentinel.admin.call('SENTINEL', ...args);
        await ask('MONITOR', 'labels', '127.0.0.1', String(primary.peerPort), '1');
        await ask('SET', 'labels', 'down-after-milliseconds', '500', 'failover-timeout', '3000');
        await eventually(isWatched, { withinMs: 20_000 });
      });
      afterEach(async () => {
        await Promise.all(stores.splice(0).map((store) => store.close()));
      });
      after(() => {
        for (const client of clients) client.disconnect();
      });

      it('G4: the store follows a requested failover, away from the old primary', async function () {
        this.timeout(30_000);
        const [store, other] = [storeWith(), storeWith()];
        await eventually(() => store.appendLabels('s', ['before']));
        await holds(replica, 'before');
        expect(await eventually(() => other.loadLabels('s'))).to.deep.equal(['before']);
        await sentinel.admin.call('SENTINEL', 'FAILOVER', 'labels');
        await eventually(() => isPrimary(replica), { withinMs: 10_000 });
        await replica.admin.sadd(KEY, 'after');
        // Sentinel makes it a replica too, only some seconds later
        await primary.admin.call('REPLICAOF', '127.0.0.1', '1');
        const complete = async (reader: ValkeySessionStore): Promise<void> => {
          const labels = await reader.loadLabels('s').catch(() => undefined);
          if (labels) expect(labels).to.have.members(['before', 'after']);
          else await eventually(() => reader.loadLabels('s'));
        };
        for (let load = 0; load < 20; load += 1) await Promise.all([complete(store), complete(other)]);
        await store.appendLabels('s', ['later']);
        expect(await replica.admin.smembers(KEY)).to.include('later');
      });

      it('G2: a primary that dies: calls reject in time until its successor works', async function () {
        this.timeout(60_000);
        const store = storeWith();
        await eventually(() => store.appendLabels('s', ['kept']));
        await holds(replica, 'kept');
        await primary.kill();
        const error = await rejectionOf(store.appendLabels('s', ['lost']));
        expect(error).to.be.instanceOf(AplSessionError);
        expect(error)
          .to.have.property('code')
          .that.matches(/^store\.(unavailable|timeout)$/);
        expect(await rejectionOf(store.loadLabels('s'))).to.have.property('code', 'store.unavailable');
        await eventually(() => store.appendLabels('s', ['new']), { withinMs: 30_000 });
        expect(await store.loadLabels('s')).to.include.members(['kept', 'new']);
        expect(await isPrimary(replica)).to.equal(true);
        // the connections are the store's own: that the owner ends the client changes nothing
        clients.at(-1)?.disconnect();
        expect(await store.loadLabels('s')).to.include.members(['kept', 'new']);
      });
    },
  );
}

async function grantFewestRights(
  { options }: GroupSecurity,
  servers: readonly ValkeyNode[],
  sentinel: ValkeyNode,
): Promise<void> {
  for (const { admin } of servers) {
    await admin.call(
      'ACL',
      'SETUSER',
      String(options.username),
      'on',
      `>${String(options.password)}`,
      ...VALKEY_RIGHTS,
    );
  }
  const { sentinelUsername, sentinelPassword } = SENTINEL_CREDENTIALS;
  const rights = [...SENTINEL_RIGHTS, ...SENTINEL_CLIENT_RIGHTS];
  await sentinel.admin.call('ACL', 'SETUSER', sentinelUsername, 'on', `>${sentinelPassword}`, ...rights);
}
