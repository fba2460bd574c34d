import { expect } from 'chai';
import { UnsavedLabels } from '../../lib/labels/unsaved-labels.js';

describe('UnsavedLabels', () => {
  it('G7: what was taken is unsaved until it is acknowledged, and untried only until it is taken', () => {
    const unsaved = new UnsavedLabels({ onNewLabel() {} });
    unsaved.note('one');
    expect(unsaved).to.include({ any: true, untried: true });
    const taken = unsaved.take();
    expect(taken).to.deep.equal(['one']);
    expect(unsaved).to.include({ any: true, untried: false });
    unsaved.note('two');
    unsaved.saved();
    expect(unsaved).to.include({ any: true, untried: true });
    expect(unsaved.take()).to.deep.equal(['two']);
  });

  it('a store cannot change the list that it is given: nothing would be acknowledged, and persist() never end', () => {
    const unsaved = new UnsavedLabels({ onNewLabel() {} });
    unsaved.note('one');
    const taken = unsaved.take() as string[];
    expect(() => taken.pop()).to.throw(TypeError);
  });
});
