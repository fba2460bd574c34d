import { PARTS_SCRIPT } from './script-parts.js';

const PAGE = `
const SLOTS = 300;
const STATES = {
  reachable: 'Reachable', unreachable: 'Unreachable', circuit_open: 'Calls are refused: the circuit is open', unknown: 'Unknown',
};
let model;

function showNode({ host, pid, since, version }) {
  setText('node', 'This node only: ' + host + ', process ' + pid + ', version ' + version + ', since ' + since.slice(0, 19).replace('T', ' '));
}

function showTraffic() {
  const { seconds, totals } = model;
  const last = seconds.at(-1) ?? { requests: 0, denials: 0 };
  setText('rate', String(last.requests));
  setText('denial-rate', String(last.denials));
  setText('held-now', String(totals.heldNow));
  setText('requests', String(totals.requests));
  setText('denials-total', String(totals.denials));
  setText('cut', String(totals.cut));
  setText('failed-loads', String(totals.failedLoads));
  setText('failed-appends', String(totals.failedAppends));
  const requests = seconds.map((second) => second.requests);
  const denials = seconds.map((second) => second.denials);
  const lines = [{ values: requests, className: 'first' }, { values: denials, className: 'second' }];
  drawLines(byId('traffic-chart'), lines, SLOTS);
  setText('traffic-caption', 'The last five minutes. Requests per second (solid line), at most ' + Math.max(0, ...requests)
    + '. Denials per second (dashed line), at most ' + Math.max(0, ...denials) + '.');
}

function showTimes() {
  const { seconds } = model;
  const last = seconds.at(-1);
  if (!last) return fillTable('durations', []);
  fillTable('durations', [['Load', 'load'], ['Append', 'append'], ['Hold', 'hold']].map(([title, name]) => {
    const { count, p50Ms, p99Ms, maxMs } = last[name];
    const svg = draw('svg', { class: 'small', viewBox: '0 0 180 24', 'aria-hidden': 'true' });
    drawLines(svg, [{ values: seconds.map((second) => second[name].p99Ms), className: 'first' }], SLOTS);
    const numbers = [p50Ms, p99Ms, maxMs].map((ms) => (count === 0 ? '–' : milliseconds(ms)));
    return [title, count, ...numbers].map((text) => ({ text, className: 'number' })).concat({ node: svg });
  }));
}

function storeFacts({ probe, status = {} }) {
  const { topology, primaries = [], circuit, latency, lastFailure, findings = [] } = status;
  const facts = [];
  if (topology) facts.push(['Topology', topology]);
  if (primaries.length > 0) facts.push(['Primary', primaries.join(', ')]);
  if (circuit) facts.push(['Circuit breaker', circuit]);
  if (probe) facts.push(['Last probe', probe.reachable ? milliseconds(probe.pingMs) + ' ms' : probe.reason]);
  if (latency && latency.count > 0) {
    facts.push(['Calls, last minute', latency.count + ', p50 ' + milliseconds(latency.p50Ms) + ' ms, p99 ' + milliseconds(latency.p99Ms) + ' ms']);
  }
  if (lastFailure) facts.push(['Last failure', lastFailure.at + ' ' + lastFailure.code + ': ' + lastFailure.reason]);
  for (const { name, status: level, detail } of findings) if (level === 'warning') facts.push(['Warning', name + ': ' + detail]);
  return facts;
}

function showHealth() {
  const { health, seconds, hasStore } = model;
  byId('health-state').className = health.state;
  setText('health-state', hasStore ? STATES[health.state] : 'The dashboard has no store: set its option store.');
  const [latest] = health.changes;
  setText('health-since', latest ? 'since ' + timeOf(latest.atMs) : '');
  drawStates(byId('health-chart'), seconds.map((second) => second.health), SLOTS);
  fillFacts('store', storeFacts(health));
  const changes = health.changes.map(({ atMs, state, reason }) =>
    [timeOf(atMs), { text: STATES[state], className: state }, { text: reason ?? '', className: 'text' }]);
  // a table that is filled anew loses its selection
  if (model.shownChange === latest?.atMs) return;
  model.shownChange = latest?.atMs;
  fillTable('changes', changes);
}

function showLists({ denials, refused, alarms, recoveries, observed, dropped }) {
  const after = (name, op) => (op ? name + ' (' + op + ')' : name);
  fillTable('denial-rows', denials.map((row) => [row.code, row.route, row.count, timeOf(row.lastAtMs)]));
  fillTable('refused-rows', refused.map((row) =>
    [timeOf(row.atMs), row.route, row.code, row.reason ?? 'a rule of the app', row.cut ? 'the connection was cut' : 'denied']));
  fillTable('alarm-rows', alarms.map((row) => [
    row.recoveredAtMs === undefined
      ? { text: 'raised', className: 'raised' }
      : { text: 'recovered ' + timeOf(row.recoveredAtMs), className: 'recovered' },
    after(row.alarm, row.op), row.code ?? '', row.route ?? '', row.count, timeOf(row.firstAtMs), timeOf(row.lastAtMs),
    { text: row.error, className: 'text' },
  ]));
  fillTable('recovery-rows', recoveries.map((row) =>
    [timeOf(row.atMs), after(row.after, row.op), row.failures, (row.durationMs / 1000).toFixed(1)]));
  fillTable('observed-rows', observed.map((row) =>
    [row.guard, row.code, row.route, row.count, timeOf(row.lastAtMs), { text: row.reason, className: 'text' }]));
  setText('dropped', String(dropped));
}

function showConnection(text, className) {
  byId('connection').className = className;
  setText('connection', text);
}

function connect() {
  const events = new EventSource('events');
  const on = (name, listener) => events.addEventListener(name, ({ data }) => listener(JSON.parse(data)));
  on('state', (state) => {
    model = state;
    showNode(model.node);
    showConnection('Live', 'live');
    showTraffic();
    showTimes();
    showHealth();
    showLists(model.lists);
  });
  on('second', ({ second, totals, health, lists }) => {
    model.seconds.push(second);
    if (model.seconds.length > SLOTS) model.seconds.shift();
    Object.assign(model, { totals, health });
    showTraffic();
    showTimes();
    showHealth();
    if (lists) showLists(lists);
  });
  on('health', (health) => {
    model.health = health;
    showHealth();
  });
  events.addEventListener('error', () => {
    if (events.readyState !== EventSource.CLOSED) return showConnection('Connection lost, trying again', 'lost');
    // the answer was a refusal, after which browsers do not try again
    showConnection('Refused: too many open pages, or no access any more. Trying again', 'lost');
    setTimeout(connect, 5000);
  });
}

connect();
`;

/** A function around all, so that nothing is global. */
export const SCRIPT = `'use strict';\n(() => {\n${PARTS_SCRIPT}${PAGE}})();\n`;
