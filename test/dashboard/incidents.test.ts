import { expect } from 'chai';
import { Incidents } from '../../lib/dashboard/incidents.js';
import { TrafficWindow } from '../../lib/dashboard/traffic-window.js';

const origin = { version: '1', mount: 'm' };
const denial = (code: string) => ({ ...origin, route: 'GET /', code, cut: false });
const failure = (op: 'load' | 'append', code: string) => ({
  ...origin,
  alarm: { alarm: 'session_store_failure', op, code, route: 'GET /', error: 'down' } as const,
});
const recovered = {
  alarm: 'session_store_recovered',
  after: 'session_store_failure',
  op: 'load',
  durationMs: 5,
  failures: 2,
  error: 'over',
} as const;

describe('Incidents', () => {
  it('a recovery marks the alarms of its operation, whatever their code', () => {
    const incidents = new Incidents();
    incidents.alarm(failure('load', 'store.timeout'));
    incidents.alarm(failure('load', 'store.unavailable'));
    incidents.alarm(failure('append', 'store.timeout'));
    incidents.recovery(recovered);
    const over = incidents.lists().alarms.filter(({ recoveredAtMs }) => recoveredAtMs !== undefined);
    expect(over.map(({ op, code }) => `${op} ${code}`)).to.have.members([
      'load store.timeout',
      'load store.unavailable',
    ]);
  });

  it('an alarm that comes back is raised again, and its count goes on', () => {
    const incidents = new Incidents();
    incidents.alarm(failure('load', 'store.timeout'));
    incidents.recovery(recovered);
    incidents.alarm(failure('load', 'store.timeout'));
    const [row] = incidents.lists().alarms;
    expect(row).to.include({ count: 2 }).and.not.have.property('recoveredAtMs');
  });

  it('100,000 denials with codes of their own stay bounded, and the newest are kept', () => {
    const incidents = new Incidents();
    for (let number = 1; number <= 100_000; number += 1) incidents.denial(denial(`code-${number}`));
    const { denials, refused, dropped } = incidents.lists();
    expect(denials).to.have.length(100);
    expect(refused).to.have.length(50);
    expect([denials[0]?.code, refused[0]?.code]).to.deep.equal(['code-100000', 'code-100000']);
    expect(dropped).to.equal(99_900);
  });
});

describe('TrafficWindow', () => {
  it('counts each second for itself, and keeps 300', () => {
    const traffic = new TrafficWindow();
    traffic.request();
    traffic.denial(true);
    expect(traffic.endSecond(0, 'unknown')).to.include({ requests: 1, denials: 1 });
    for (let second = 1; second <= 300; second += 1) traffic.endSecond(second, 'unknown');
    expect(traffic.seconds).to.have.length(300);
    expect(traffic.seconds[0]).to.include({ atMs: 1, requests: 0, denials: 0 });
    expect(traffic.totals).to.include({ requests: 1, denials: 1, cut: 1 });
  });

  it('a response is held until its hold ends', () => {
    const traffic = new TrafficWindow();
    const hold = { ...origin, route: 'GET /', response: { bytes: 0 } };
    traffic.hold({ ...hold, outcome: 'held', durationMs: 0 });
    expect(traffic.totals.heldNow).to.equal(1);
    traffic.hold({ ...hold, outcome: 'refused', durationMs: 7 });
    expect(traffic.totals.heldNow).to.equal(0);
    expect(traffic.endSecond(0, 'unknown').hold).to.include({ count: 1, maxMs: 7 });
  });
});
