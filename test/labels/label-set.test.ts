import { expect } from 'chai';
import { AplSessionError } from '../../lib/contract/errors.js';
import { LabelSet } from '../../lib/labels/label-set.js';
import { UnsavedLabels } from '../../lib/labels/unsaved-labels.js';
import { thrownBy } from '../support/eventually.js';

function setOf(...stored: readonly string[]): { labels: LabelSet; unsaved: UnsavedLabels; notes: () => number } {
  let notes = 0;
  const unsaved = new UnsavedLabels({
    onNewLabel() {
      notes += 1;
    },
  });
  return { labels: new LabelSet(stored, unsaved), unsaved, notes: () => notes };
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
    const { labels, unsaved, notes } = setOf('a', 'b');
    expect([...labels]).to.deep.equal(['a', 'b']);
    expect(unsaved.any).to.equal(false);
    expect(unsaved.untried).to.equal(false);
    expect(unsaved.take()).to.deep.equal([]);
    expect(notes()).to.equal(0);
  });

  it('keeps stored labels that it would not accept itself', () => {
    const strange = 'x'.repeat(1_000);
    const { labels } = setOf(strange, 'tab\t');
    expect(labels.has(strange)).to.equal(true);
    expect(labels.has('tab\t')).to.equal(true);
    expect(labels.add(strange)).to.equal(labels);
  });

  it('a label that is added is there, is new, and is announced once', () => {
    const { labels, unsaved, notes } = setOf('a');
    expect(labels.add('b').add('b').add('c')).to.equal(labels);
    expect([...labels]).to.deep.equal(['a', 'b', 'c']);
    expect(unsaved.any).to.equal(true);
    expect(unsaved.untried).to.equal(true);
    expect(unsaved.take()).to.deep.equal(['b', 'c']);
    expect(notes()).to.equal(2);
  });

  it('a label that the store had is not new when it is added again', () => {
    const { labels, unsaved, notes } = setOf('a');
    labels.add('a');
    expect(unsaved.any).to.equal(false);
    expect(notes()).to.equal(0);
  });

  it('labels differ by case', () => {
    const { labels, unsaved } = setOf('PII');
    labels.add('pii');
    expect(unsaved.take()).to.deep.equal(['pii']);
  });

  it('the label is in the set before it is announced', () => {
    let seen: string[] = [];
    const unsaved = new UnsavedLabels({
      onNewLabel() {
        seen = [...labels, ...unsaved.take()];
      },
    });
    const labels: LabelSet = new LabelSet([], unsaved);
    labels.add('a');
    expect(seen).to.deep.equal(['a', 'a']);
  });

  it('G5: only grows: delete and clear throw label.immutable and change nothing', () => {
    const { labels } = setOf('a');
    labels.add('b');
    for (const remove of [() => labels.delete('a'), () => labels.delete('b'), () => labels.clear()]) {
      expect(thrownBy(remove)).to.be.instanceOf(AplSessionError).with.property('code', 'label.immutable');
    }
    expect([...labels]).to.deep.equal(['a', 'b']);
  });

  it('what is no label throws label.invalid and changes nothing', () => {
    const { labels, unsaved } = setOf('a');
    for (const value of ['', 'x'.repeat(257), 'a\nb', 5 as unknown as string, undefined as unknown as string]) {
      expect(thrownBy(() => labels.add(value))).to.have.property('code', 'label.invalid');
    }
    expect([...labels]).to.deep.equal(['a']);
    expect(unsaved.any).to.equal(false);
  });

  describe('for this message only', () => {
    it('is in the set like any other, and never unsaved', () => {
      const { labels, unsaved, notes } = setOf('a');
      expect(labels.addForMessage('m').addForMessage('m')).to.equal(labels);
      expect([...labels]).to.deep.equal(['a', 'm']);
      expect(labels.has('m')).to.equal(true);
      expect(unsaved.any).to.equal(false);
      expect(notes()).to.equal(0);
    });

    it('G7: once it is added to the session too, it is unsaved, once', () => {
      const { labels, unsaved, notes } = setOf();
      labels.addForMessage('m').addForMessage('n');
      labels.add('m').add('m').addForMessage('m');
      expect([...labels]).to.deep.equal(['m', 'n']);
      expect(unsaved.take()).to.deep.equal(['m']);
      expect(notes()).to.equal(1);
    });

    it('G7: what the session has, stored or new, stays the session’s', () => {
      const { labels, unsaved } = setOf('stored');
      labels.add('new');
      labels.addForMessage('new').addForMessage('stored');
      expect(unsaved.take()).to.deep.equal(['new']);
      labels.add('stored');
      expect(unsaved.take()).to.deep.equal(['new']);
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
      const { labels, unsaved } = setOf('stored');
      labels.add('both').adopt(earlier);
      expect([...labels]).to.deep.equal(['stored', 'both', 'm', 'new']);
      expect(unsaved.take()).to.deep.equal(['both', 'new']);
    });
  });

  it('G7: what is added to a set that was adopted is added to its heir too, with its scope', () => {
    const { labels: earlier, notes: notesOfEarlier } = setOf();
    const { labels, unsaved } = setOf('stored');
    labels.adopt(earlier);
    earlier.add('late').addForMessage('message').addForMessage('both').add('both');
    expect([...labels]).to.deep.equal(['stored', 'late', 'message', 'both']);
    expect(unsaved.take()).to.deep.equal(['late', 'both']);
    expect(notesOfEarlier()).to.equal(0);
  });

  it('the array that it was made of is copied', () => {
    const stored = ['a'];
    const labels = new LabelSet(stored, new UnsavedLabels({ onNewLabel() {} }));
    stored.push('b');
    expect([...labels]).to.deep.equal(['a']);
  });
});

describe('UnsavedLabels', () => {
  it('a label stays unsaved until the store has acknowledged it', () => {
    const unsaved = new UnsavedLabels({ onNewLabel() {} });
    unsaved.note('a');
    unsaved.note('b');
    expect(unsaved.take()).to.deep.equal(['a', 'b']);
    expect(unsaved.any).to.equal(true);
    unsaved.saved();
    expect(unsaved.any).to.equal(false);
    expect(unsaved.take()).to.deep.equal([]);
  });

  it('a label that is noted while an append is under way is not taken for saved', () => {
    const unsaved = new UnsavedLabels({ onNewLabel() {} });
    unsaved.note('a');
    unsaved.take();
    unsaved.note('b');
    unsaved.saved();
    expect(unsaved.any).to.equal(true);
    expect(unsaved.untried).to.equal(true);
    expect(unsaved.take()).to.deep.equal(['b']);
  });

  it('after a failed append there is nothing untried, and the next append takes everything again', () => {
    const unsaved = new UnsavedLabels({ onNewLabel() {} });
    unsaved.note('a');
    unsaved.take();
    expect(unsaved.any).to.equal(true);
    expect(unsaved.untried).to.equal(false);
    unsaved.note('b');
    expect(unsaved.take()).to.deep.equal(['a', 'b']);
  });

  it('a list that was taken does not change any more', () => {
    const unsaved = new UnsavedLabels({ onNewLabel() {} });
    unsaved.note('a');
    const taken = unsaved.take();
    unsaved.note('b');
    unsaved.saved();
    expect(taken).to.deep.equal(['a']);
  });
});
