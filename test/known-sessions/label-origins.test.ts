import { expect } from 'chai';
import { LabelOrigins } from '../../lib/known-sessions/label-origins.js';

describe('LabelOrigins', () => {
  let origins: LabelOrigins;
  beforeEach(() => {
    origins = new LabelOrigins();
    for (const [atMs, label] of ['a', 'b', 'c'].entries()) origins.note(label, { atMs });
  });
  const timesOf = (...labels: string[]): unknown[] =>
    [...origins.of(labels)].map(([label, { atMs }]) => `${label} ${atMs}`);

  it('each label has its own origin, frozen; a label of another process has none', () => {
    expect(timesOf('c', 'x', 'a')).to.deep.equal(['c 2', 'a 0']);
    expect(timesOf('b')).to.deep.equal(['b 1']);
    expect(origins.of(['a']).get('a')).to.be.frozen;
  });

  it('a label that is noted again has the new origin, the first one and others', () => {
    for (const label of ['a', 'c']) origins.note(label, { atMs: 7 });
    expect(timesOf('a', 'b', 'c')).to.deep.equal(['a 7', 'b 1', 'c 7']);
  });

  it('keepOnly() forgets all other labels, and what is noted then is the latest', () => {
    origins.keepOnly(['c', 'x']);
    expect(timesOf('a', 'b', 'c')).to.deep.equal(['c 2']);
    origins.note('c', { atMs: 8 });
    origins.note('a', { atMs: 9 });
    expect(timesOf('a', 'b', 'c')).to.deep.equal(['a 9', 'c 8']);
    origins.keepOnly([]);
    expect(timesOf('a', 'b', 'c')).to.deep.equal([]);
  });
});
