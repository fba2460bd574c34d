/**
 * The labels of one session that the store has acknowledged to this process, with the order of the acknowledgements. If a load
 * starts after an acknowledgement and does not return the label, the store has lost it.
 */
export class AcknowledgedLabels {
  /** Each label with the number of its acknowledgement. */
  readonly #numbers = new Map<string, number>();

  get size(): number {
    return this.#numbers.size;
  }

  [Symbol.iterator](): IterableIterator<string> {
    return this.#numbers.keys();
  }

  has(label: string): boolean {
    return this.#numbers.has(label);
  }

  add(labels: readonly string[], number: number): void {
    for (const label of labels) this.#numbers.set(label, number);
  }

  delete(label: string): void {
    this.#numbers.delete(label);
  }

  /**
   * Removes and returns the labels that were acknowledged before a load started, and that it did not return.
   * @param numberAtStart the number of the latest acknowledgement when the load started
   */
  takeLost(numberAtStart: number, loaded: readonly string[]): string[] {
    const found = new Set(loaded);
    const lost = [...this.#numbers].filter(([label, number]) => number <= numberAtStart && !found.has(label));
    for (const [label] of lost) this.#numbers.delete(label);
    return lost.map(([label]) => label);
  }

  clear(): void {
    this.#numbers.clear();
  }
}
