import { expect } from 'chai';
import { ENROLLED } from '../../lib/labels/enrolment.js';
import { explainLabels } from '../../lib/provenance/explain-labels.js';

describe('explanation of a session', () => {
  const records = new Map([
    ['b', { atMs: 2, by: 'taint' }],
    ['a', { atMs: 3 }],
    ['lost', { atMs: 1 }],
  ]);

  it('has the labels in the order in which they were added', () => {
    const { labels } = explainLabels(['x', 'a', 'c', 'b'], records);
    expect(labels.map(({ label }) => label)).to.deep.equal(['b', 'a', 'c', 'x']);
    expect(labels[0]).to.deep.equal({ label: 'b', firstAddedAt: '1970-01-01T00:00:00.002Z', by: 'taint' });
    expect(labels[3]).to.have.all.keys('label', 'note');
  });

  it('a record without its label is not a label', () => {
    expect(explainLabels([], records)).to.deep.equal({ enrolled: false, labels: [] });
  });

  it('the mark of an enrolled session is not shown as a label', () => {
    expect(explainLabels([ENROLLED], records)).to.deep.equal({ enrolled: true, labels: [] });
  });

  it('is frozen', () => {
    const explained = explainLabels(['a'], records);
    for (const part of [explained, explained.labels, explained.labels[0]]) expect(part).to.be.frozen;
  });
});
