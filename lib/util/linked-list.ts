/** An element of one list. Only the list writes these members. */
export interface Linked<T> {
  isLinked: boolean;
  earlier: T | undefined;
  later: T | undefined;
}

/**
 * Elements in the order in which they were added. To add and to remove one takes no memory and no look-up, which a Set needs.
 * A removed element has no references to others: the garbage collector would otherwise keep all that follow an old one.
 */
export class LinkedList<T extends Linked<T>> {
  #first: T | undefined;
  #last: T | undefined;

  get first(): T | undefined {
    return this.#first;
  }

  /** Adds a new element at the end. */
  add(element: T): void {
    element.isLinked = true;
    element.earlier = this.#last;
    if (this.#last) this.#last.later = element;
    else this.#first = element;
    this.#last = element;
  }

  /** Removes an element. Returns false if it was removed before. */
  remove(element: T): boolean {
    if (!element.isLinked) return false;
    const { earlier, later } = element;
    if (earlier) earlier.later = later;
    else this.#first = later;
    if (later) later.earlier = earlier;
    else this.#last = earlier;
    element.isLinked = false;
    element.earlier = undefined;
    element.later = undefined;
    return true;
  }
}
