import { expect } from 'chai';
import { LatencyWindow } from '../../lib/util/latency-window.js';

describe('LatencyWindow', () => {
  it('is empty at first', () => {
    expect(new LatencyWindow().summary(5)).to.deep.equal({ count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
  });

  it('percentiles are at most a fifth above the true ones, and never below', () => {
    const window = new LatencyWindow();
    for (let ms = 1; ms <= 1_000; ms += 1) window.record(ms / 10, 1_000);
    const { count, p50Ms, p99Ms, maxMs } = window.summary(1_000);
    expect({ count, maxMs }).to.deep.equal({ count: 1_000, maxMs: 100 });
    expect(p50Ms).to.be.within(50, 60);
    expect(p99Ms).to.be.within(99, 100);
  });

  it('forgets a duration after one minute, and not before 55 seconds', () => {
    const window = new LatencyWindow();
    window.record(7, 61_000);
    expect(window.summary(61_000 + 54_900)).to.include({ count: 1, maxMs: 7 });
    expect(window.summary(61_000 + 60_000)).to.include({ count: 0, maxMs: 0 });
    window.record(3, 61_000 + 120_000);
    expect(window.summary(61_000 + 120_000)).to.include({ count: 1, maxMs: 3 });
  });

  it('takes durations beyond its bounds', () => {
    const window = new LatencyWindow();
    for (const ms of [0, 0.000_01, 1e9]) window.record(ms, 0);
    expect(window.summary(0)).to.include({ count: 3, maxMs: 1e9 });
  });
});
