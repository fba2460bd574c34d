import { expect } from 'chai';
import { figure, instructionsOf } from './report/results-fixture.js';
import type { Comparison, TargetResult } from './results.js';
import type { Summary } from './statistics.js';
import { judge } from './targets.js';

const NOTHING = { instructions: [], comparisons: [], memory: undefined, roundTrips: [] };

function verdictOf(throughput: Summary): TargetResult['verdict'] | undefined {
  const comparison: Comparison = { own: 'valkey-clean', other: 'floor-clean', throughput, addedCpu: figure(1) };
  return judge({ ...NOTHING, comparisons: [comparison] })[0]?.verdict;
}

describe('the targets of the benchmarks', () => {
  it('a target is met or missed if the whole interval is on one side of the limit', () => {
    expect(verdictOf(figure(0.98, 0.97, 0.99))).to.equal('met');
    expect(verdictOf(figure(0.95, 0.94, 0.96))).to.equal('missed');
  });

  it('an interval with the limit inside, or of few rounds, decides nothing', () => {
    expect(verdictOf(figure(0.98, 0.96, 1))).to.equal('not measurable');
    expect(verdictOf({ ...figure(0.98), rounds: 5 })).to.equal('not measurable');
  });

  it('added instructions are compared beyond those of bare Express', () => {
    const counts = { bare: figure(400), 'valkey-clean': figure(460), 'session-touched': figure(600) };
    const instructions = Object.entries(counts).map(([name, count]) => instructionsOf(name, name, count));
    const [added] = judge({ ...NOTHING, instructions });
    expect(added).to.include({ measured: '0.30', limit: '<= 0.4', verdict: 'met' });
  });

  it('counts that differ, or may be no more than those of bare Express, decide nothing', () => {
    const judged = (clean: Summary, touched: Summary) => {
      const counts = { bare: figure(400, 395, 405), 'valkey-clean': clean, 'session-touched': touched };
      const instructions = Object.entries(counts).map(([name, count]) => instructionsOf(name, name, count));
      return judge({ ...NOTHING, instructions })[0]?.verdict;
    };
    expect(judged(figure(420), figure(600))).to.equal('met');
    expect(judged(figure(420, 400, 440), figure(600))).to.equal(undefined);
    expect(judged(figure(401), figure(402))).to.equal('not measurable');
  });

  it('a wrong number of round trips misses its target', () => {
    const result = { name: 'valkey-clean', title: 'clean', roundTrips: 2, commands: {} };
    expect(judge({ ...NOTHING, roundTrips: [result] })[0]).to.include({ verdict: 'missed', limit: '= 1' });
  });
});
