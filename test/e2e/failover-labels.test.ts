import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import express from 'express';
import { Redis } from 'ioredis';
import { type Alarm, aplSessionMiddleware } from '../../lib/index.js';
import { sha256Hex } from '../../lib/session/digest.js';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { eventually } from '../support/eventually.js';
import { describeWithValkeyGroup, type ValkeyNode } from '../support/valkey-group.js';

const SERVER = ['--save', '', '--repl-diskless-sync-delay', '0'];
const CLIENTS = 16;

describeWithValkeyGroup('acknowledged labels across a failover that Sentinel is asked for', 4, (group) => {
  let primary: ValkeyNode;
  let replica: ValkeyNode;
  let sentinel: ValkeyNode;
  let client: Redis;
  let store: ValkeySessionStore;
  let server: Server;
  let origin: string;
  const alarms: Alarm[] = [];
  const ask = (...args: string[]): Promise<unknown> => sentinel.admin.call('SENTINEL', ...args);

  before('starts a primary with a replica, a Sentinel and an app', async function () {
    this.timeout(60_000);
    primary = await group().start(...SERVER);
    replica = await group().start(...SERVER, '--replicaof', `127.0.0.1 ${primary.port}`);
    await eventually(async () => (await replica.admin.info('replication')).includes('master_link_status:up'));
    sentinel = await group().start('--sentinel');
    await ask('MONITOR', 'labels', '127.0.0.1', String(primary.port), '1');
    await ask('SET', 'labels', 'down-after-milliseconds', '500', 'failover-timeout', '3000');
    const replicaIsKnown = async (): Promise<boolean> =>
      String(await ask('REPLICAS', 'labels')).includes('master-link-status,ok');
    await eventually(replicaIsKnown, { withinMs: 20_000 });
    client = new Redis({
      sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
      name: 'labels',
      failoverDetector: true,
      sentinelRetryStrategy: () => 50,
      retryStrategy: () => 50,
    });
    client.on('error', () => {});
    store = new ValkeySessionStore({ client, connectTimeoutMs: 500, commandTimeoutMs: 500 });
    const app = express();
    app.use(
      aplSessionMiddleware({
        session: (req) => req.get('x-session'),
        store,
        logger: { warn() {}, error() {} },
        onAlarm: (alarm) => alarms.push(alarm),
      }),
    );
    app.get('/', (req, res) => {
      req.security.labels.add('secret');
      res.send('read');
    });
    server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server?.closeAllConnections();
    server?.close();
    await store?.close();
    client?.disconnect();
  });

  it('G5: no label is lost, without another request of their sessions', async function () {
    this.timeout(60_000);
    const acknowledged: string[] = [];
    let goesOn = true;
    const isDemoted = async (): Promise<boolean> => (await primary.admin.info('replication')).includes('role:slave');
    const clients = Array.from({ length: CLIENTS }, async (_, number) => {
      for (let n = 0; goesOn; n += 1) {
        const session = `client-${number}-${n}`;
        const response = await fetch(origin, { headers: { 'x-session': session } });
        await response.text();
        if (response.status === 200) acknowledged.push(session);
      }
    });
    await eventually(() => expect(acknowledged.length).to.be.greaterThan(200), { withinMs: 20_000 });
    await ask('FAILOVER', 'labels');
    await eventually(isDemoted, { withinMs: 30_000 });
    const atDemotion = acknowledged.length;
    await eventually(() => expect(acknowledged.length).to.be.greaterThan(atDemotion + 50), { withinMs: 20_000 });
    goesOn = false;
    await Promise.all(clients);
    const missing = async (): Promise<string[]> => {
      const pipeline = replica.admin.pipeline();
      for (const session of acknowledged) pipeline.sismember(`taint:v1:${sha256Hex(session)}`, 'secret');
      const replies = (await pipeline.exec()) ?? [];
      return acknowledged.filter((_, index) => replies[index]?.[1] !== 1);
    };
    await eventually(async () => expect(await missing()).to.deep.equal([]), { withinMs: 20_000 });
    const denied = alarms.filter(({ alarm }) => alarm === 'session_store_failure').length;
    console.log(`      ${acknowledged.length} labels acknowledged, 0 lost; ${denied} requests denied meanwhile`);
  });
});
