import { expect } from 'chai';
import express from 'express';
import request from 'supertest';
import { type Alarm, type AplSessionMiddleware, aplSessionMiddleware } from '../../lib/index.js';
import { valkeySessionStoreFactory } from '../../lib/valkey.js';
import { isOfCalls } from '../support/alarms.js';
import { eventually } from '../support/eventually.js';
import { describeWithDedicatedValkey, type TestValkey } from '../support/valkey.js';

const INTERVAL_MS = 500;
const REQUESTS = 200;

type Fields = Readonly<Record<string, unknown>>;

describeWithDedicatedValkey('logs during an outage of Valkey', (server) => {
  let lines: Array<{ readonly message: string; readonly fields: Fields }>;
  let alarms: Alarm[];
  let middleware: AplSessionMiddleware;
  let app: express.Express;

  beforeEach(async () => {
    lines = [];
    alarms = [];
    const note = (message: string, fields: object): void => {
      if (isOfCalls(fields as Alarm)) lines.push({ message, fields: { ...fields } });
    };
    middleware = aplSessionMiddleware({
      session: (req) => req.get('x-session'),
      store: { kind: 'valkey', endpoint: server().url, connectTimeoutMs: 100, commandTimeoutMs: 100 },
      storeFactories: [valkeySessionStoreFactory],
      logger: { warn: note, error: note },
      logIntervalMs: INTERVAL_MS,
      onAlarm: (alarm) => void (isOfCalls(alarm) && alarms.push(alarm)),
    });
    app = express();
    app.use(middleware);
    app.get('/', (_req, res) => res.send('ok'));
    await middleware.ready();
  });
  afterEach(() => middleware.close());

  const ask = (status: number) => request(app).get('/').set('x-session', 's').expect(status);

  const outages: ReadonlyArray<
    readonly [what: string, begin: (valkey: TestValkey) => Promise<void>, end: (valkey: TestValkey) => Promise<void>]
  > = [
    ['is killed', (valkey) => valkey.kill(), (valkey) => valkey.restart()],
    ['hangs (SIGSTOP)', (valkey) => valkey.stop(), (valkey) => valkey.cont()],
  ];
  for (const [what, begin, end] of outages) {
    it(`Valkey ${what}: few lines, every alarm, and a recovery line`, async function () {
      this.timeout(30_000);
      await begin(server());
      const startedMs = performance.now();
      try {
        for (let sent = 0; sent < REQUESTS; sent += 20) await Promise.all(Array.from({ length: 20 }, () => ask(403)));
      } finally {
        await end(server());
      }
      const outageMs = performance.now() - startedMs;
      await eventually(() => ask(200), { withinMs: 8_000 });
      await eventually(() => expect(lines.at(-1)?.fields).to.include({ alarm: 'session_store_recovered', op: 'load' }));

      const failures = alarms.filter(({ alarm }) => alarm === 'session_store_failure');
      expect(failures.length).to.be.at.least(REQUESTS);
      expect(alarms.at(-1)).to.include({ alarm: 'session_store_recovered', failures: failures.length });
      const recovery = lines.at(-1)?.fields as { durationMs: number; failures: number };
      expect(recovery.failures).to.equal(failures.length);
      expect(recovery.durationMs).to.be.within(1, outageMs + 8_000);
      // the codes are store.timeout and store.unavailable: for each a first line, then at most one line an interval
      const perCode = 2 + Math.ceil(outageMs / INTERVAL_MS);
      expect(lines.length).to.be.below(2 * perCode + 2);
      const counted = lines.slice(0, -1).reduce((sum, { fields }) => sum + Number(fields['repeated'] ?? 1), 0);
      expect(counted).to.equal(failures.length);
      for (const { fields } of lines) {
        expect(fields).to.include({ package: 'express-apl-session', store: `${server().host}:${server().port}` });
        expect(fields)
          .to.have.property('help')
          .that.matches(/^express-apl-session\/docs\/errors\.md#\w+$/);
      }
      const summaries = lines.filter(({ fields }) => fields['repeated'] !== undefined);
      expect(summaries).to.not.be.empty;
      for (const { fields } of summaries) {
        expect(fields['routes']).to.deep.equal({ 'GET *': fields['repeated'] });
        expect(fields['code']).to.be.oneOf(['store.timeout', 'store.unavailable']);
      }
    });
  }

  it('close() logs what was counted', async () => {
    await server().kill();
    try {
      for (let sent = 0; sent < 5; sent += 1) await ask(403);
      const before = lines.length;
      await middleware.close();
      const repeated = lines.slice(before).reduce((sum, { fields }) => sum + Number(fields['repeated']), 0);
      expect(before + repeated).to.equal(5);
    } finally {
      await server().restart();
    }
  });
});
