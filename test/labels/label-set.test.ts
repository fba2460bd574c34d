import { expect } from 'chai';
import { AplSessionError } from '../../lib/contract/errors.js';
import { LabelSet } from '../../lib/labels/label-set.js';
import { thrownBy } from '../support/eventually.js';

/** A set, and the labels that its listener was told of. */
function setOf(...present: readonly string[]): { labels: LabelSet; told: string[] } {
  const told: string[] = [];
  return { labels: new LabelSet(present, { onNewLabel: (label) => void told.push(label) }), told };
}

describe('LabelSet', () => {
  it('is a real Set, with all that a Set can do', () => {
    const { labels } = setOf('a', 'b');
    expect(labels).to.be.instanceOf(Set);
    expect(Object.prototype.toString.call(labels)).to.equal('[object Set]');
    expect(labels.size).to.equal(2);
    expect(labels.has('a')).to.equal(true);
    expect(labels.has('c')).to.equal(false);
    expect([...labels]).to.deep.equal(['a', 'b']);
    expect([...labels.entries()]).to.deep.equal([
      ['a', 'a'],
      ['b', 'b'],
    ]);
    expect(new Set(labels)).to.deep.equal(new Set(['a', 'b']));
    expect(structuredClone(labels)).to.deep.equal(new Set(['a', 'b']));
  });

  it('starts with what was stored, and that is not new', () => {
    const { labels, told } = setOf('a', 'b');
    expect([...labels]).to.deep.equal(['a', 'b']);
    expect(told).to.deep.equal([]);
  });

  it('keeps stored labels that it would not accept itself', () => {
    const strange = 'x'.repeat(1_000);
    const { labels } = setOf(strange, 'tab\t');
    expect(labels.has(strange)).to.equal(true);
    expect(labels.has('tab\t')).to.equal(true);
    expect(labels.add(strange)).to.equal(labels);
  });

  it('a label that is added is there, is new, and is announced once', () => {
    const { labels, told } = setOf('a');
    expect(labels.add('b').add('b').add('c')).to.equal(labels);
    expect([...labels]).to.deep.equal(['a', 'b', 'c']);
    expect(told).to.deep.equal(['b', 'c']);
  });

  it('a label that the store had is not new when it is added again', () => {
    const { labels, told } = setOf('a');
    labels.add('a');
    expect(told).to.deep.equal([]);
  });

  it('labels differ by case', () => {
    const { labels, told } = setOf('PII');
    labels.add('pii');
    expect(told).to.deep.equal(['pii']);
  });

  it('the label is in the set before it is announced', () => {
    let seen: string[] = [];
    const labels: LabelSet = new LabelSet([], {
      onNewLabel() {
        seen = [...labels];
      },
    });
    labels.add('a');
    expect(seen).to.deep.equal(['a']);
  });

  it('G5: delete and clear throw label.immutable and change nothing', () => {
    const { labels } = setOf('a');
    labels.add('b');
    for (const remove of [() => labels.delete('a'), () => labels.delete('b'), () => labels.clear()]) {
      expect(thrownBy(remove)).to.be.instanceOf(AplSessionError).with.property('code', 'label.immutable');
    }
    expect([...labels]).to.deep.equal(['a', 'b']);
  });

  it('what is no label throws label.invalid and changes nothing', () => {
    const { labels, told } = setOf('a');
    for (const value of ['', 'x'.repeat(257), 'a\nb', 5 as unknown as string, undefined as unknown as string]) {
      expect(thrownBy(() => labels.add(value))).to.have.property('code', 'label.invalid');
    }
    expect([...labels]).to.deep.equal(['a']);
    expect(told).to.deep.equal([]);
  });

  describe('for this message only', () => {
    it('is in the set like any other, and never unsaved', () => {
      const { labels, told } = setOf('a');
      expect(labels.addForMessage('m').addForMessage('m')).to.equal(labels);
      expect([...labels]).to.deep.equal(['a', 'm']);
      expect(labels.has('m')).to.equal(true);
      expect(told).to.deep.equal([]);
    });

    it('G7: once it is added to the session too, it is unsaved, once', () => {
      const { labels, told } = setOf();
      labels.addForMessage('m').addForMessage('n');
      labels.add('m').add('m').addForMessage('m');
      expect([...labels]).to.deep.equal(['m', 'n']);
      expect(told).to.deep.equal(['m']);
    });

    it('G7: what the session has, stored or new, stays the session’s', () => {
      const { labels, told } = setOf('stored');
      labels.add('new');
      labels.addForMessage('new').addForMessage('stored');
      expect(told).to.deep.equal(['new']);
      labels.add('stored');
      expect(told).to.deep.equal(['new']);
    });

    it('G5: is not removed either, and what is no label is refused', () => {
      const { labels } = setOf();
      labels.addForMessage('m');
      expect(thrownBy(() => labels.delete('m'))).to.have.property('code', 'label.immutable');
      expect(thrownBy(() => labels.addForMessage('a\nb'))).to.have.property('code', 'label.invalid');
      expect([...labels]).to.deep.equal(['m']);
    });

    it('another set takes labels over in their scope', () => {
      const earlier = setOf('stored').labels.addForMessage('m').addForMessage('both').add('new');
      const { labels, told } = setOf('stored');
      labels.add('both').adopt(earlier);
      expect([...labels]).to.deep.equal(['stored', 'both', 'm', 'new']);
      expect(told).to.deep.equal(['both', 'new']);
    });
  });

  it('G7: a label added to an adopted set goes to the adopting set, too', () => {
    const { labels: earlier, told: toldOfEarlier } = setOf();
    const { labels, told } = setOf('stored');
    labels.adopt(earlier);
    earlier.add('late').addForMessage('message').addForMessage('both').add('both');
    expect([...labels]).to.deep.equal(['stored', 'late', 'message', 'both']);
    expect(told).to.deep.equal(['late', 'both']);
    expect(toldOfEarlier).to.deep.equal([]);
  });

  it('a label of another request is there, is the session’s, and is not told', () => {
    const { labels, told } = setOf();
    labels.addForMessage('both');
    labels.receive('both');
    labels.receive('other');
    labels.add('both').add('other');
    expect([...labels]).to.deep.equal(['both', 'other']);
    expect(told).to.deep.equal([]);
  });

  it('G5: a label that comes during an iteration is met by it', () => {
    const { labels } = setOf('a');
    const met: string[] = [];
    for (const label of labels) {
      if (met.push(label) === 1) labels.receive('b');
    }
    expect(met).to.deep.equal(['a', 'b']);
  });

  it('the array that it was made of is copied', () => {
    const stored = ['a'];
    const labels = new LabelSet(stored, { onNewLabel() {} });
    stored.push('b');
    expect([...labels]).to.deep.equal(['a']);
  });
});
