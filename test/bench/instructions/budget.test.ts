import { expect } from 'chai';
import { type Budget, judge, readBudget, recordedFor } from './budget.js';

const budget: Budget = {
  tolerance: 0.02,
  recorded: { node20: { clean: { instructions: 460_000, ratio: 1.08 } } },
};
const recorded = recordedFor(budget, 'clean', 'node20');

describe('the budget of instructions', () => {
  it('a regression of 5 % is over the budget', () => {
    expect(judge(budget, recorded, 1.08 * 1.05)).to.equal('over');
  });

  it('noise of 1 % is within it, in both directions', () => {
    for (const noise of [0.99, 1, 1.01]) expect(judge(budget, recorded, 1.08 * noise)).to.equal('within');
  });

  it('a gain of 5 % asks to be recorded', () => {
    expect(judge(budget, recorded, 1.08 * 0.95)).to.equal('better');
  });

  it('another version of Node, or another scenario, has no budget', () => {
    expect(judge(budget, recordedFor(budget, 'clean', 'node99'), 9)).to.equal('not recorded');
    expect(judge(budget, recordedFor(budget, 'other', 'node20'), 9)).to.equal('not recorded');
  });

  it('the repository has one for the Node of CI, and it sees 5 %', () => {
    const { tolerance, recorded: all } = readBudget();
    expect(tolerance).to.be.lessThan(0.05);
    expect(all).to.have.property('node20').that.includes.all.keys('bare', 'no session', 'stub clean', 'stub tainting');
  });
});
