import { expect } from 'chai';
import { type Linked, LinkedList } from '../../lib/util/linked-list.js';

class Element implements Linked<Element> {
  isLinked = false;
  earlier: Element | undefined = undefined;
  later: Element | undefined = undefined;
}

describe('LinkedList', () => {
  function listOf(...elements: readonly Element[]): LinkedList<Element> {
    const list = new LinkedList<Element>();
    for (const element of elements) list.add(element);
    return list;
  }

  function inOrder(list: LinkedList<Element>): Element[] {
    const elements: Element[] = [];
    for (let element = list.first; element; element = element.later) elements.push(element);
    return elements;
  }

  const [a, b, c] = [0, 1, 2];
  for (const [place, at] of Object.entries({ first: a, middle: b, last: c })) {
    it(`removes the ${place} element, and the others keep their order`, () => {
      const elements = [new Element(), new Element(), new Element()];
      const list = listOf(...elements);
      const [removed] = elements.splice(at, 1) as [Element];
      expect(list.remove(removed)).to.equal(true);
      expect(inOrder(list)).to.deep.equal(elements);
      const added = new Element();
      list.add(added);
      expect(inOrder(list)).to.deep.equal([...elements, added]);
    });
  }

  it('a removed element is not removed again, and refers to no other', () => {
    const [first, second, third] = [new Element(), new Element(), new Element()];
    const list = listOf(first, second, third);
    list.remove(second);
    expect(list.remove(second)).to.equal(false);
    expect(second).to.deep.equal(new Element());
    expect(inOrder(list)).to.deep.equal([first, third]);
  });

  it('is empty when all elements are removed', () => {
    const only = new Element();
    const list = listOf(only);
    list.remove(only);
    expect(list.first).to.equal(undefined);
    list.add(only);
    expect(list.first).to.equal(only);
  });
});
