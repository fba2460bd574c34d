/**
 * The labels of one session that the store has acknowledged to this process, in the order of the acknowledgements. A
 * load that began after an acknowledgement must return the label; if it does not, the store has lost it.
 */
export class AcknowledgedLabels {
  /** Each label with the number of its acknowledgement. */
  readonly #numbers = new Map<string, number>();
  #count = 0;

  get size(): number {
    return this.#numbers.size;
  }

  /** How many acknowledgements there were, which is the number of the latest one. */
  get count(): number {
    return this.#count;
  }

  [Symbol.iterator](): IterableIterator<string> {
    return this.#numbers.keys();
  }

  has(label: string): boolean {
    return this.#numbers.has(label);
  }

  add(labels: readonly string[]): void {
    this.#count += 1;
    for (const label of labels) this.#numbers.set(label, this.#count);
  }

  /** Takes out the labels that a load did not return although they were acknowledged before it began. */
  takeLost(countAtStart: number, loaded: readonly string[]): string[] {
    const found = new Set(loaded);
    const lost = [...this.#numbers].filter(([label, number]) => number <= countAtStart && !found.has(label));
    for (const [label] of lost) this.#numbers.delete(label);
    return lost.map(([label]) => label);
  }

  clear(): void {
    this.#numbers.clear();
  }
}
