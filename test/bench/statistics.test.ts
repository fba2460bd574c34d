import { expect } from 'chai';
import { addedQuantile, hasInterval, median, paired, quantile, summarise } from './statistics.js';

describe('statistics of the benchmarks', () => {
  it('quantiles lie between the nearest ranks', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).to.equal(2.5);
    expect(quantile([10, 20], 0.25)).to.equal(12.5);
    expect(quantile([7], 0.99)).to.equal(7);
    expect(quantile([], 0.5)).to.be.NaN;
  });

  it('a median is not moved by one wild round', () => {
    expect(median([1, 2, 1_000])).to.equal(2);
  });

  it('the spread is half the interquartile range over the median', () => {
    expect(summarise([8, 9, 10, 11, 12])).to.include({ median: 10, spread: 0.1, rounds: 5 });
  });

  it('pairs the figures of the same round, so that what drifts in both cancels out', () => {
    const ratio = paired([10, 20, 40], [20, 40, 80], (a, b) => a / b);
    expect(ratio).to.deep.equal({ median: 0.5, spread: 0, rounds: 3, low: 0.5, high: 0.5 });
  });

  it('the interval of the median of 100 rounds is from rank 41 to rank 60', () => {
    const values = Array.from({ length: 100 }, (_, n) => n + 1);
    expect(summarise(values)).to.include({ low: 41, high: 60 });
    expect(summarise([1, 2, 3])).to.include({ low: 1, high: 3 });
  });

  it('few rounds have no interval', () => {
    expect(hasInterval(summarise([1, 2, 3, 4, 5]))).to.equal(false);
    expect(hasInterval(summarise([1, 2, 3, 4, 5, 6]))).to.equal(true);
  });

  it('an added quantile is that of the second side, whatever a pause does to both', () => {
    // each block of 100 has one late pair; in one block the pause is in the second side only
    const pairs = Array.from({ length: 1_000 }, (_, n): [number, number] => {
      if (n === 550) return [1, 900];
      return n % 100 === 7 ? [50, 53] : [1, 3];
    });
    expect(addedQuantile(pairs, 1, 100).median).to.equal(3);
    expect(addedQuantile(pairs, 0.5, 100)).to.include({ median: 2, rounds: 10 });
    expect(addedQuantile(pairs.slice(0, 250), 0.5, 100).rounds).to.equal(2);
  });
});
