import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import express from 'express';
import request from 'supertest';
import { parse } from 'yaml';
import type { Alarm } from '../../lib/contract/alarms.js';
import { EventStream } from '../../lib/events/event-stream.js';
import { type AplSessionMiddleware, aplSessionMiddleware, MemorySessionStore, taint } from '../../lib/index.js';
import { prometheusMetrics } from '../../lib/metrics.js';
import { valkeySessionStoreFactory } from '../../lib/valkey.js';
import { all, ROOT, read } from '../support/documents.js';
import { eventually } from '../support/eventually.js';
import { describeWithDedicatedValkey } from '../support/valkey.js';
import { samplesOf } from './metrics-fixture.js';
import {
  type FiringAlert,
  hasPromtool,
  promtool,
  type RuleTest,
  recordingFaults,
  repeatedSeries,
  ruleFaults,
  seriesOf,
} from './promtool.js';

const RULES = 'examples/operations/alerts.yml';
const DASHBOARD = 'examples/operations/dashboard.json';
const RULES_FILE = fileURLToPath(new URL(RULES, ROOT));
const TRUTH_MS = 2_000;

interface Rule {
  readonly alert: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
const rules = (parse(read(RULES)) as { groups: ReadonlyArray<{ rules: readonly Rule[] }> }).groups.flatMap(
  (group) => group.rules,
);
const ruleOf = (name: string): Rule => rules.find(({ alert }) => alert === name) as Rule;
const PROCESS = { job: 'app', instance: 'a:3000' };
/** The alert as it fires; `labels` are the labels of its series. */
const firing = (name: string, labels: Readonly<Record<string, string>>): FiringAlert => ({
  exp_labels: { ...labels, ...ruleOf(name).labels },
  exp_annotations: ruleOf(name).annotations,
});

/** Counts what `cause` publishes: the text before it and after it. */
function counted(cause: (events: EventStream) => void, store = new MemorySessionStore()): readonly [string, string] {
  const metrics = prometheusMetrics({ store });
  try {
    const before = metrics.text();
    cause(new EventStream('test'));
    return [before, metrics.text()];
  } finally {
    metrics.close();
  }
}

const raise = (alarm: Alarm['alarm']) => (events: EventStream) =>
  events.publish('alarm', { alarm: { alarm, error: 'x' } as never });
const alarmed = (alarm: Alarm['alarm']) => ({ ...PROCESS, alarm });
function storeWith(status: object): MemorySessionStore {
  const store = new MemorySessionStore();
  store.status = () => ({ connected: true, since: '', ...status });
  return store;
}

/** Each alert with what makes it fire, and the labels that it then has. */
const CAUSES: ReadonlyArray<
  readonly [
    alert: string,
    labels: Readonly<Record<string, string>>,
    cause: (events: EventStream) => void,
    store?: MemorySessionStore,
  ]
> = [
  ['AplSessionStoreFailing', alarmed('session_store_failure'), raise('session_store_failure')],
  ['AplSessionStoreDisconnected', PROCESS, () => {}, storeWith({ connected: false })],
  ['AplSessionCircuitOpen', { ...PROCESS, state: 'open' }, () => {}, storeWith({ circuit: 'open' })],
  ['AplSessionLabelsLost', alarmed('session_store_regression'), raise('session_store_regression')],
  ['AplSessionStoreUnsafe', alarmed('session_store_unsafe_eviction'), raise('session_store_unsafe_eviction')],
  [
    'AplSessionTtlRefreshFailed',
    alarmed('session_store_ttl_refresh_failed'),
    raise('session_store_ttl_refresh_failed'),
  ],
  [
    'AplSessionResponsesCut',
    PROCESS,
    (events) => events.publish('denial', { route: 'GET /', code: 'session.persist_failed', cut: true }),
  ],
  [
    'AplSessionSlowAppends',
    { job: 'app' },
    (events) => events.publish('append', { outcome: 'appended', durationMs: 400 }),
  ],
  [
    'AplSessionResponsesHeld',
    PROCESS,
    (events) => {
      for (let n = 0; n < 101; n += 1) {
        events.publish('hold', { route: 'GET /', outcome: 'held', durationMs: 0, response: { bytes: 0 } });
      }
    },
  ],
  ['AplSessionPolicyError', alarmed('policy_error'), raise('policy_error')],
  ['AplSessionMissing', alarmed('session_unknown'), raise('session_unknown')],
];

describe('examples/operations', () => {
  it('dashboard and alerts name only metrics that are in real output, and each metric is on the dashboard', () => {
    const [, text] = counted(
      (events) => {
        events.publish('request', { method: 'GET' });
        events.publish('load', { outcome: 'loaded', durationMs: 1 });
        events.publish('append', { outcome: 'appended', durationMs: 1 });
        events.publish('denial', { route: 'GET /', code: 'x', cut: false });
        const wouldDeny = { alarm: 'policy_would_deny', guard: 'g', route: 'GET /', code: 'x', error: 'x' } as const;
        events.publish('alarm', { alarm: wouldDeny });
      },
      storeWith({ circuit: 'closed' }),
    );
    const real = new Set([...samplesOf(text).keys()].map((name) => name.replace(/\{.*/, '')));
    const named = (document: string) => new Set(all(/express_apl_session_\w+/g, read(document)).map(([name]) => name));
    expect([...real]).to.include.members([...named(RULES), ...named(DASHBOARD)]);
    const families = [...real].filter((name) => !/_(?:sum|count)$/.test(name));
    expect([...named(DASHBOARD)]).to.include.members(families);
  });

  it('each runbook of an alert leads to a heading', () => {
    for (const { alert, annotations } of rules) {
      const [file = '', anchor] = (annotations['runbook'] ?? '').split('#');
      const headings = all(/^#+ (.+)$/gm, read(file)).map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replace(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
      );
      if (anchor !== undefined) expect(headings, alert).to.include(anchor);
    }
  });

  it('each alert has a cause in this test', () => {
    expect(CAUSES.map(([alert]) => alert)).to.have.members(rules.map(({ alert }) => alert));
  });
});

describe('examples/operations, with promtool', function () {
  this.timeout(60_000);
  before(function () {
    if (hasPromtool()) return;
    if (process.env['REQUIRE_VALKEY_TESTS'] === '1')
      throw new Error('promtool is not installed: run .ci/install-promtool');
    this.skip();
  });

  it('the alert rules are valid', () => {
    const { status, text } = promtool(['check', 'rules', RULES_FILE]);
    expect(status, text).to.equal(0);
  });

  it('the expressions of the dashboard are valid', () => {
    const exprs = all(/"expr": (".*")/g, read(DASHBOARD)).map(([, text = '']) => JSON.parse(text) as string);
    expect(exprs).to.have.length.greaterThan(12);
    const plain = exprs.map((expr) => expr.replaceAll('$__rate_interval', '5m').replaceAll('$job', '.*'));
    const recording = plain.map((expr, n) => ({ record: `panel_${n}`, expr: expr.replaceAll('$instance', '.*') }));
    expect(recordingFaults(recording)).to.equal('');
  });

  it('the metrics are as promtool wants them', () => {
    const [, text] = counted(
      (events) => {
        events.publish('request', { method: 'GET', source: 'a "b" \\ c' });
        events.publish('load', { outcome: 'failed', durationMs: 1, code: 'store.timeout' });
        events.publish('denial', { route: 'GET /', code: 'x', cut: true });
      },
      storeWith({ circuit: 'closed' }),
    );
    const { status, text: faults } = promtool(['check', 'metrics'], text);
    expect(faults).to.equal('');
    expect(status).to.equal(0);
  });

  it('each alert fires on its cause, and no alert fires without one', () => {
    const [quiet] = counted(() => {});
    const none = rules.map(({ alert }) => ({ eval_time: '30m', alertname: alert, exp_alerts: [] }));
    const series = repeatedSeries(quiet, quiet, 30);
    const tests: RuleTest[] = [{ name: 'quiet', interval: '15s', input_series: series, alert_rule_test: none }];
    for (const [alert, labels, cause, store] of CAUSES) {
      const [before, after] = counted(cause, store);
      tests.push({
        name: alert,
        interval: '15s',
        input_series: repeatedSeries(before, after, 30),
        alert_rule_test: [{ eval_time: '30m', alertname: alert, exp_alerts: [firing(alert, labels)] }],
      });
    }
    expect(ruleFaults(RULES_FILE, tests)).to.equal('');
  });
});

describeWithDedicatedValkey('metrics and alerts during an outage of Valkey', (server) => {
  let middleware: AplSessionMiddleware;
  beforeEach(() => {
    middleware = aplSessionMiddleware({
      session: (req) => req.get('x-session'),
      store: {
        kind: 'valkey',
        endpoint: server().url,
        circuitBreaker: { consecutiveFailures: 3, halfOpenAfterMs: 500 },
      },
      storeFactories: [valkeySessionStoreFactory],
      logger: { warn() {}, error() {} },
    });
  });
  afterEach(() => middleware.close());

  it('tell the truth within two seconds, in the outage and after it', async function () {
    this.timeout(60_000);
    const metrics = prometheusMetrics({ store: middleware.store });
    const app = express().get('/metrics', metrics.handler).use(middleware);
    app.get('/', taint('secret'), (_req, res) => res.send('ok'));
    const ask = async () => (await request(app).get('/').set('x-session', 's')).status;
    const scrape = async () => (await request(app).get('/metrics').expect(200)).text;
    const gauge = async (name: string) => samplesOf(await scrape()).get(`express_apl_session_store_${name}`);

    expect(await ask()).to.equal(200);
    const before = await scrape();
    expect(await gauge('connected')).to.equal(1);
    expect(await gauge('circuit{state="closed"}')).to.equal(1);

    await server().kill();
    await eventually(async () => expect(await gauge('connected')).to.equal(0), { withinMs: TRUTH_MS });
    for (let n = 0; n < 4; n += 1) expect(await ask()).to.equal(403);
    expect(await gauge('circuit{state="open"}')).to.equal(1);
    const outage = await scrape();

    await server().restart();
    await eventually(async () => expect(await ask()).to.equal(200), { withinMs: 10_000, everyMs: 50 });
    await eventually(async () => expect(await gauge('connected')).to.equal(1), { withinMs: TRUTH_MS });
    await eventually(async () => expect(await gauge('circuit{state="closed"}')).to.equal(1), { withinMs: TRUTH_MS });
    const after = await scrape();
    metrics.close();

    if (!hasPromtool()) return;
    const failing = { ...PROCESS, alarm: 'session_store_failure' };
    const fires = {
      AplSessionStoreFailing: failing,
      AplSessionStoreDisconnected: PROCESS,
      AplSessionCircuitOpen: { ...PROCESS, state: 'open' },
    };
    const at = (eval_time: string, isOut: boolean) =>
      Object.entries(fires).map(([alertname, labels]) => ({
        eval_time,
        alertname,
        exp_alerts: isOut ? [firing(alertname, labels)] : [],
      }));
    const phases = [
      { text: before, minutes: 5 },
      { text: outage, minutes: 4 },
      { text: after, minutes: 15 },
    ];
    const alert_rule_test = [...at('4m', false), ...at('8m', true), ...at('20m', false)];
    expect(
      ruleFaults(RULES_FILE, [{ name: 'outage', interval: '15s', input_series: seriesOf(phases), alert_rule_test }]),
    ).to.equal('');
  });
});
