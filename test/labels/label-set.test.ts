import { expect } from 'chai';
import { AplSessionError } from '../../lib/contract/errors.js';
import { LabelSet } from '../../lib/labels/label-set.js';
import { thrownBy } from '../support/eventually.js';

/** A set, and the labels that its listener received. */
function setOf(...present: readonly string[]): { labels: LabelSet; told: string[] } {
  const told: string[] = [];
  return { labels: new LabelSet(present, { onNewLabel: (label) => void told.push(label) }), told };
}

describe('LabelSet', () => {
  it('is a Set with all methods of a Set', () => {
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

  it('starts with the stored labels, which are not new', () => {
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

  it('an added label is in the set, is new, and is announced once', () => {
    const { labels, told } = setOf('a');
    expect(labels.add('b').add('b').add('c')).to.equal(labels);
    expect([...labels]).to.deep.equal(['a', 'b', 'c']);
    expect(told).to.deep.equal(['b', 'c']);
  });

  it('a stored label that is added again is not new', () => {
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

  it('an invalid label throws label.invalid and changes nothing', () => {
    const { labels, told } = setOf('a');
    for (const value of ['', 'x'.repeat(257), 'a\nb', 5 as unknown as string, undefined as unknown as string]) {
      expect(thrownBy(() => labels.add(value))).to.have.property('code', 'label.invalid');
    }
    expect([...labels]).to.deep.equal(['a']);
    expect(told).to.deep.equal([]);
  });

  describe('for this message only', () => {
    it('is in the set, and is never appended', () => {
      const { labels, told } = setOf('a');
      expect(labels.addForMessage('m').addForMessage('m')).to.equal(labels);
      expect([...labels]).to.deep.equal(['a', 'm']);
      expect(labels.has('m')).to.equal(true);
      expect(told).to.deep.equal([]);
    });

    it('G7: is appended once it is added to the session too', () => {
      const { labels, told } = setOf();
      labels.addForMessage('m').addForMessage('n');
      labels.add('m').add('m').addForMessage('m');
      expect([...labels]).to.deep.equal(['m', 'n']);
      expect(told).to.deep.equal(['m']);
    });

    it('G7: a label of the session stays a label of the session', () => {
      const { labels, told } = setOf('stored');
      labels.add('new');
      labels.addForMessage('new').addForMessage('stored');
      expect(told).to.deep.equal(['new']);
      labels.add('stored');
      expect(told).to.deep.equal(['new']);
    });

    it('G5: cannot be removed, and an invalid label is refused', () => {
      const { labels } = setOf();
      labels.addForMessage('m');
      expect(thrownBy(() => labels.delete('m'))).to.have.property('code', 'label.immutable');
      expect(thrownBy(() => labels.addForMessage('a\nb'))).to.have.property('code', 'label.invalid');
      expect([...labels]).to.deep.equal(['m']);
    });

    it('another set takes over labels with their scope', () => {
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

  it('a label of another request belongs to the session, unannounced', () => {
    const { labels, told } = setOf();
    labels.addForMessage('both');
    labels.receive('both');
    labels.receive('other');
    labels.add('both').add('other');
    expect([...labels]).to.deep.equal(['both', 'other']);
    expect(told).to.deep.equal([]);
  });

  it('G5: an iteration reaches a label that is added during it', () => {
    const { labels } = setOf('a');
    const met: string[] = [];
    for (const label of labels) {
      if (met.push(label) === 1) labels.receive('b');
    }
    expect(met).to.deep.equal(['a', 'b']);
  });

  it('copies the array of stored labels', () => {
    const stored = ['a'];
    const labels = new LabelSet(stored, { onNewLabel() {} });
    stored.push('b');
    expect([...labels]).to.deep.equal(['a']);
  });
});
