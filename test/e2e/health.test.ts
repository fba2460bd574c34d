import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import express from 'express';
import { type Alarm, type AplSessionMiddleware, aplSessionMiddleware, healthHandler, taint } from '../../lib/index.js';
import { valkeySessionStoreFactory } from '../../lib/valkey.js';
import { isOfCalls } from '../support/alarms.js';
import { rejectionOf } from '../support/eventually.js';
import { describeWithDedicatedValkey, type TestValkey } from '../support/valkey.js';

/** The time that the documents promise to operators. */
const TRUTH_MS = 2_000;

describeWithDedicatedValkey('/readyz and /livez during outages of Valkey', (server) => {
  let middleware: AplSessionMiddleware;
  let http: Server;
  let alarms: Alarm[];
  let session: string;

  beforeEach(async () => {
    alarms = [];
    session = randomUUID();
    middleware = aplSessionMiddleware({
      session: (req) => req.get('x-session'),
      store: {
        kind: 'valkey',
        endpoint: server().url,
        circuitBreaker: { consecutiveFailures: 3, halfOpenAfterMs: 500 },
      },
      storeFactories: [valkeySessionStoreFactory],
      logger: { warn() {}, error() {} },
      onAlarm: (alarm) => void (isOfCalls(alarm) && alarms.push(alarm)),
    });
    const { store } = middleware;
    const app = express();
    app.get('/readyz', healthHandler({ store }));
    app.get('/livez', healthHandler({ store, probe: 'live' }));
    app.use(middleware);
    app.get('/', (_req, res) => res.send('ok'));
    app.get('/salary', taint('secret'), (_req, res) => res.send('ok'));
    http = app.listen(0, '127.0.0.1');
    await once(http, 'listening');
    expect(await statusOf('/readyz')).to.equal(200);
  });
  afterEach(async () => {
    http.closeAllConnections();
    http.close();
    await middleware.close();
  });

  const answerOf = async (path: string): Promise<{ status: number; text: string }> => {
    const { port } = http.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { 'x-session': session } });
    return { status: answer.status, text: await answer.text() };
  };
  const statusOf = async (path: string): Promise<number> => (await answerOf(path)).status;
  /** How long it takes until /readyz has this status; /livez has 200 all the time. */
  const untilReadyz = async (status: number): Promise<number> => {
    const startedMs = performance.now();
    while ((await statusOf('/readyz')) !== status) {
      if (performance.now() - startedMs > 10_000) throw new Error(`/readyz did not become ${status}.`);
      expect(await statusOf('/livez')).to.equal(200);
      await delay(20);
    }
    return performance.now() - startedMs;
  };

  const outages: ReadonlyArray<
    readonly [
      what: string,
      begin: (valkey: TestValkey) => Promise<unknown>,
      end: (valkey: TestValkey) => Promise<unknown>,
    ]
  > = [
    ['is killed and starts again', (valkey) => valkey.kill(), (valkey) => valkey.restart()],
    ['hangs (SIGSTOP) and goes on', (valkey) => valkey.stop(), (valkey) => valkey.cont()],
    [
      'becomes a replica and a primary again',
      (valkey) => valkey.admin.call('REPLICAOF', '127.0.0.1', '1'),
      (valkey) => valkey.admin.call('REPLICAOF', 'NO', 'ONE'),
    ],
  ];
  for (const [what, begin, end] of outages) {
    it(`Valkey ${what}: /readyz tells the truth within two seconds, quietly`, async function () {
      this.timeout(40_000);
      let backMs = 0;
      await begin(server());
      try {
        expect(await untilReadyz(503)).to.be.below(TRUTH_MS);
      } finally {
        await end(server());
        backMs = performance.now();
      }
      await untilReadyz(200);
      expect(performance.now() - backMs).to.be.below(TRUTH_MS);
      // no request was refused, and the circuit is closed: the probes have not counted
      expect(alarms).to.deep.equal([]);
      expect(await statusOf('/')).to.equal(200);
    });
  }

  const readyz = async () => {
    const { status, text } = await answerOf('/readyz');
    return { code: status, ...(JSON.parse(text) as { status: string; lastAppend?: string }) };
  };
  const refusals: ReadonlyArray<readonly [what: string, begin: readonly string[], end: readonly string[]]> = [
    ['has no memory left', ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0']],
    ['takes the right to append away', ['ACL', 'SETUSER', 'default', '-sadd'], ['ACL', 'SETUSER', 'default', '+sadd']],
  ];
  for (const [what, begin, end] of refusals) {
    it(`Valkey ${what}: /readyz is degraded, and requests that add no label are served`, async () => {
      expect(await statusOf('/salary')).to.equal(200);
      expect(await readyz()).to.include({ code: 200, status: 'ok', lastAppend: 'ok' });
      const call = ([name = '', ...args]: readonly string[]) => server().admin.call(name, ...args);
      await call(begin);
      try {
        // another label than the one that is stored
        await rejectionOf(middleware.quarantine(session, 'another'));
        expect(await readyz()).to.include({ code: 200, status: 'degraded', lastAppend: 'failed' });
      } finally {
        await call(end);
      }
      expect(await statusOf('/')).to.equal(200);
      await middleware.quarantine(session, 'another');
      expect(await readyz()).to.include({ code: 200, status: 'ok', lastAppend: 'ok' });
    });
  }

  it('requests opened the circuit: /readyz is 200 again without any request', async function () {
    this.timeout(40_000);
    await server().kill();
    try {
      for (let round = 0; round < 4; round += 1) expect(await statusOf('/')).to.equal(403);
      expect(alarms.map(({ alarm }) => alarm)).to.include('session_store_circuit_changed');
      expect(middleware.store.status?.().circuit).to.be.oneOf(['open', 'half_open']);
      await untilReadyz(503);
    } finally {
      await server().restart();
    }
    // a load balancer sends no requests before that
    expect(await untilReadyz(200)).to.be.below(TRUTH_MS);
    expect(await statusOf('/')).to.equal(200);
  });

  it('a thousand questions in a second are about one load of Valkey', async function () {
    this.timeout(40_000);
    const startedMs = performance.now();
    const { smembers = 0 } = await server().countCommands(async () => {
      for (let round = 0; round < 20; round += 1) {
        const statuses = await Promise.all(Array.from({ length: 50 }, () => statusOf('/readyz')));
        expect(new Set(statuses)).to.deep.equal(new Set([200]));
      }
    });
    expect(smembers).to.be.at.most(1 + Math.ceil((performance.now() - startedMs) / 1_000));
  });
});
