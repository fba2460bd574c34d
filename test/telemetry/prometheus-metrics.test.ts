import { channel } from 'node:diagnostics_channel';
import { expect } from 'chai';
import request from 'supertest';
import { EventStream } from '../../lib/events/event-stream.js';
import { denyIf, MemorySessionStore, policy } from '../../lib/index.js';
import { type PrometheusMetrics, type PrometheusMetricsOptions, prometheusMetrics } from '../../lib/metrics.js';
import { controllableStore } from '../../lib/testing.js';
import { eventually, thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { type HeldCall, HeldStore } from '../support/held-store.js';
import {
  addLabel,
  LABEL,
  labelAfterFirstByte,
  middlewareFixture,
  ok,
  SESSION,
  thrower,
} from '../support/middleware-fixture.js';
import { get, Wire } from '../support/raw-http.js';
import { countsOf, samplesOf } from './metrics-fixture.js';

const CHANNELS = ['request', 'load', 'append', 'hold', 'denial', 'alarm', 'recovery'];
const HOLD = { route: 'GET /', response: { bytes: 0 } };
const VIOLATION = { code: 'session_tainted', reason: 'touched secret data' };

describe('prometheusMetrics(), options', () => {
  const faults: ReadonlyArray<readonly [what: string, options: unknown, message: RegExp]> = [
    ['an unknown key', { stores: 1 }, /did you mean 'store'/],
    ['a block as the store', { store: { kind: 'memory' } }, /not a SessionStore.*aplSession\.store/],
    ['a store without status()', { store: new ScriptedStore() }, /no method 'status'.*leave 'store' out/],
    ['too few series', { maxSeriesPerMetric: 9 }, /'maxSeriesPerMetric' must be at least 10/],
  ];
  for (const [what, options, message] of faults) {
    it(`${what}: config.invalid, and nothing is subscribed`, () => {
      const error = thrownBy(() => prometheusMetrics(options as PrometheusMetricsOptions));
      expect(error).to.include({ code: 'config.invalid' });
      expect((error as Error).message)
        .to.match(message)
        .and.include('prometheusMetrics');
      expect(subscribed()).to.deep.equal([]);
    });
  }
});

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`prometheusMetrics(), ${version}`, () => {
    const { appOf, middlewareWith, listen } = middlewareFixture(express);
    let metrics: PrometheusMetrics;
    let store: ReturnType<typeof controllableStore>;
    beforeEach(() => {
      store = controllableStore();
      metrics = prometheusMetrics();
    });
    afterEach(() => metrics.close());
    const heldBytes = (): number => samplesOf(metrics.text()).get('express_apl_session_held_size_bytes') ?? Number.NaN;

    it('the endpoint answers with the text format, also when the store is down', async () => {
      const app = express().get('/metrics', metrics.handler);
      const { text, headers } = await request(app).get('/metrics').expect(200);
      expect(headers['content-type']).to.equal('text/plain; version=0.0.4; charset=utf-8');
      expect(headers['cache-control']).to.equal('no-store');
      expect(text).to.equal(metrics.text());
      expect(text).to.match(
        /^# HELP express_apl_session_requests_total .*\n# TYPE express_apl_session_requests_total counter\n/,
      );
    });

    it('counts requests by source, loads, appends and holds', async () => {
      const session = (req: { url: string }) => (req.url === '/none' ? undefined : { id: SESSION, source: 'agent' });
      const app = appOf(middlewareWith({ store, session }));
      app.get('/notes/:id', addLabel, ok).get('/none', ok);
      await request(app).get('/notes/5').expect(200);
      await request(app).get('/notes/6').expect(200);
      await request(app).get('/none').expect(200);
      expect(countsOf(metrics.text())).to.deep.equal({
        'requests_total{source="agent"}': 2,
        'requests_total{source="none"}': 1,
        'loads_total{outcome="loaded"}': 2,
        'appends_total{outcome="appended"}': 1,
      });
      const samples = samplesOf(metrics.text());
      expect(samples.get('express_apl_session_load_duration_seconds_count{outcome="loaded"}')).to.equal(2);
      expect(samples.get('express_apl_session_append_duration_seconds_count{outcome="appended"}')).to.equal(1);
      expect(samples.get('express_apl_session_hold_duration_seconds_count{outcome="released"}')).to.equal(1);
      expect(samples.get('express_apl_session_load_duration_seconds_bucket{le="+Inf",outcome="loaded"}')).to.equal(2);
      expect(samples.get('express_apl_session_load_duration_seconds_sum{outcome="loaded"}')).to.be.within(0, 5);
    });

    it('counts denials by code and route, failures and alarms', async () => {
      const app = appOf(middlewareWith({ store }));
      app.post('/mail', denyIf(LABEL, VIOLATION), ok).get('/', addLabel, ok);
      await store.appendLabels(SESSION, [LABEL]);
      await request(app).post('/mail').expect(403);
      store.fail('load');
      await request(app).post('/mail').expect(403);
      expect(countsOf(metrics.text())).to.deep.equal({
        'requests_total{source="custom"}': 2,
        'loads_total{outcome="loaded"}': 1,
        'loads_total{code="store.unavailable",outcome="failed"}': 1,
        'denials_total{code="session_tainted",route="POST /mail"}': 1,
        'denials_total{code="session.load_failed",route="POST *"}': 1,
        'alarms_total{alarm="session_store_failure"}': 1,
      });
    });

    it('counts would-be denials by guard, route and code', async () => {
      await store.appendLabels(SESSION, [LABEL]);
      const app = appOf(middlewareWith({ store }));
      app.post('/mail', denyIf(LABEL, VIOLATION, { name: 'no mail', enforce: 'observe' }), ok);
      await request(app).post('/mail').expect(200);
      expect(countsOf(metrics.text())).to.include({
        'would_be_denials_total{code="session_tainted",guard="no mail",route="POST /mail"}': 1,
        'alarms_total{alarm="policy_would_deny"}': 1,
      });
    });

    it('counts a response that was cut, and its hold', async () => {
      store.fail('append');
      const server = await listen(appOf(middlewareWith({ store }), labelAfterFirstByte));
      await request(`http://127.0.0.1:${server.port}`)
        .get('/')
        .catch(() => {});
      await eventually(() => expect(countsOf(metrics.text())).to.include({ responses_cut_total: 1 }));
      const holds = 'express_apl_session_hold_duration_seconds_count{outcome="cut"}';
      await eventually(() => expect(samplesOf(metrics.text()).get(holds)).to.equal(1));
    });

    it('shows how many responses are held, and their time when the hold ends', async () => {
      const held = new HeldStore();
      const server = await listen(appOf(middlewareWith({ store: held }), addLabel, ok));
      const answer = request(`http://127.0.0.1:${server.port}`).get('/').expect(200).then();
      const append = await held.nextAppend();
      const name = 'express_apl_session_responses_held';
      await eventually(() => expect(samplesOf(metrics.text()).get(name)).to.equal(1));
      append.succeed();
      await answer;
      expect(samplesOf(metrics.text()).get(name)).to.equal(0);
    });

    it('shows the bytes of held responses: those that the client gets later', async () => {
      const store = new HeldStore();
      const body = `é€${'x'.repeat(5_000)}`;
      const server = await listen(
        appOf(middlewareWith({ store }), addLabel, (_req, res) => {
          res.write(body);
          res.write(Buffer.from(body));
          res.end(body);
        }),
      );
      const client = new Wire(server.port);
      client.send(get('/', { Connection: 'close' }));
      const append = await store.nextAppend();
      await eventually(() => expect(heldBytes()).to.be.greaterThan(15_000));
      const held = heldBytes();
      append.succeed();
      expect((await client.closed()).length).to.equal(held);
      expect(heldBytes()).to.equal(0);
    });

    for (const [what, end] of [
      ['a denial', (append) => append.fail(new Error('down'))],
      ['a client that leaves', (_append, client) => client.destroy()],
    ] as ReadonlyArray<readonly [string, (append: HeldCall, client: Wire) => void]>) {
      it(`no bytes are held after ${what}`, async () => {
        const store = new HeldStore();
        const server = await listen(appOf(middlewareWith({ store }), addLabel, ok));
        const client = new Wire(server.port);
        client.send(get('/'));
        const append = await store.nextAppend();
        await eventually(() => expect(heldBytes()).to.be.greaterThan(100));
        end(append, client);
        await eventually(() => expect(heldBytes()).to.equal(0));
        // the hold of a client that has left ends with the append
        append.succeed();
        const name = 'express_apl_session_responses_held';
        await eventually(() => expect(samplesOf(metrics.text()).get(name)).to.equal(0));
        client.destroy();
      });
    }

    it('a recovery is counted beside the alarms', async () => {
      const middleware = middlewareWith({ store });
      store.fail('load');
      await request(appOf(middleware, ok)).get('/').expect(403);
      store.restore();
      await request(appOf(middleware, ok)).get('/').expect(200);
      await middleware.close();
      expect(countsOf(metrics.text())).to.include({ 'alarms_total{alarm="session_store_recovered"}': 1 });
    });

    it('codes of the app beyond maxSeriesPerMetric are counted as other', async () => {
      const bounded = prometheusMetrics({ maxSeriesPerMetric: 10 });
      const app = appOf(middlewareWith({ store }));
      app.get(
        '/',
        policy(({ req }) => ({ code: `code-${req.get('x-code')}`, reason: 'no' })),
        ok,
      );
      for (let n = 0; n < 13; n += 1) await request(app).get('/').set('x-code', `${n}`).expect(403);
      const denials = Object.entries(countsOf(bounded.text())).filter(([name]) => name.startsWith('denials'));
      expect(denials).to.have.length(11);
      expect(Object.fromEntries(denials)).to.include({ 'denials_total{code="other",route="other"}': 3 });
      bounded.close();
    });

    it('no metric holds a label, the id of a session or a credential', async () => {
      await store.appendLabels(SESSION, ['stored-label']);
      const session = () => ({ id: SESSION, source: `from ${SESSION}` });
      const app = appOf(middlewareWith({ store, session }));
      app.get('/', addLabel, denyIf(LABEL, { code: `code-${SESSION}`, reason: LABEL }), ok);
      store.fail('append', new Error(`${SESSION} ${LABEL} redis://user:hunter2@host:6379`));
      await request(app).get('/').expect(403);
      const text = metrics.text();
      expect(countsOf(text)).to.include({ 'appends_total{outcome="failed"}': 1 });
      for (const secret of [SESSION, LABEL, 'stored-label', 'hunter2']) expect(text, secret).to.not.include(secret);
    });
  });
}

describe('prometheusMetrics()', () => {
  it('close() ends all subscriptions and leaves the counts, and may be called twice', () => {
    const before = subscribed();
    const metrics = prometheusMetrics();
    const stream = new EventStream('test');
    stream.publish('load', { outcome: 'loaded', durationMs: 3 });
    expect(subscribed()).to.have.members(CHANNELS);
    metrics.close();
    metrics.close();
    expect(subscribed()).to.deep.equal(before);
    stream.publish('load', { outcome: 'loaded', durationMs: 3 });
    expect(countsOf(metrics.text())).to.deep.equal({ 'loads_total{outcome="loaded"}': 1 });
  });

  it('a value counts in the first bucket that is not below it, in seconds', () => {
    const metrics = prometheusMetrics();
    const stream = new EventStream('test');
    for (const durationMs of [1, 1.01, 7_000]) stream.publish('load', { outcome: 'loaded', durationMs });
    metrics.close();
    const samples = samplesOf(metrics.text());
    const upTo = (le: string) =>
      samples.get(`express_apl_session_load_duration_seconds_bucket{le="${le}",outcome="loaded"}`);
    expect([upTo('0.0005'), upTo('0.001'), upTo('0.0025'), upTo('5'), upTo('+Inf')]).to.deep.equal([0, 1, 2, 2, 3]);
    expect(samples.get('express_apl_session_load_duration_seconds_sum{outcome="loaded"}')).to.be.closeTo(7.00201, 1e-9);
  });

  it('quotes, backslashes and line breaks in a value do not break the text', () => {
    const metrics = prometheusMetrics();
    new EventStream('test').publish('request', { method: 'GET', source: 'a "b" \\c\nd' });
    metrics.close();
    expect(metrics.text()).to.include('express_apl_session_requests_total{source="a \\"b\\" \\\\c\\nd"} 1\n');
  });

  it('the end of a hold that began before the subscription is not counted below 0', () => {
    const metrics = prometheusMetrics();
    new EventStream('test').publish('hold', { ...HOLD, outcome: 'released', durationMs: 1 });
    metrics.close();
    expect(samplesOf(metrics.text()).get('express_apl_session_responses_held')).to.equal(0);
  });

  it('every alarm has a series that begins with 0', () => {
    const metrics = prometheusMetrics();
    metrics.close();
    const samples = samplesOf(metrics.text());
    expect(samples.get('express_apl_session_alarms_total{alarm="session_store_regression"}')).to.equal(0);
    expect(samples.get('express_apl_session_responses_cut_total')).to.equal(0);
  });

  it('the store: connection and circuit; absent without it and while status() throws', async () => {
    const store = new MemorySessionStore();
    const metrics = prometheusMetrics({ store });
    const gauges = () =>
      [...samplesOf(metrics.text())].filter(([name]) => name.startsWith('express_apl_session_store_'));
    expect(gauges()).to.deep.equal([['express_apl_session_store_connected', 1]]);
    store.status = () => ({ connected: false, since: '', circuit: 'open' });
    expect(gauges()).to.deep.equal([
      ['express_apl_session_store_connected', 0],
      ['express_apl_session_store_circuit{state="off"}', 0],
      ['express_apl_session_store_circuit{state="closed"}', 0],
      ['express_apl_session_store_circuit{state="open"}', 1],
      ['express_apl_session_store_circuit{state="half_open"}', 0],
    ]);
    store.status = () => thrower('thrown');
    expect(gauges()).to.deep.equal([]);
    metrics.close();
    const without = prometheusMetrics();
    without.close();
    expect(without.text()).to.not.include('express_apl_session_store_');
  });
});

function subscribed(): string[] {
  return CHANNELS.filter((name) => channel(`express-apl-session:${name}`).hasSubscribers);
}
