/** Stands for the number of the acknowledgement while there is none. */
const NOT_ACKNOWLEDGED = 0;

/**
 * The labels that this process has added to one session, and for each the number of the acknowledgement of the store. If a load starts
 * after an acknowledgement and does not return the label, the store has lost it.
 *
 * One Map for both kinds of labels, because this object stays in memory after the last request of its session.
 */
export class AddedLabels {
  readonly #numbers = new Map<string, number>();

  [Symbol.iterator](): IterableIterator<string> {
    return this.#numbers.keys();
  }

  get size(): number {
    return this.#numbers.size;
  }

  has(label: string): boolean {
    return this.#numbers.has(label);
  }

  isUnacknowledged(label: string): boolean {
    return this.#numbers.get(label) === NOT_ACKNOWLEDGED;
  }

  /** The labels that the store has acknowledged. */
  *acknowledged(): Generator<string> {
    for (const [label, number] of this.#numbers) if (number !== NOT_ACKNOWLEDGED) yield label;
  }

  /** The store has not acknowledged the label yet, or has lost it. */
  add(label: string): void {
    this.#numbers.set(label, NOT_ACKNOWLEDGED);
  }

  /** @param number counts from 1 */
  acknowledge(labels: readonly string[], number: number): void {
    for (const label of labels) this.#numbers.set(label, number);
  }

  /** Forgets the label if it is acknowledged. */
  distrust(label: string): void {
    if (!this.isUnacknowledged(label)) this.#numbers.delete(label);
  }

  /**
   * Returns the labels that were acknowledged before a load started, and that it did not return.
   * @param numberAtStart the number of the latest acknowledgement when the load started
   */
  lost(numberAtStart: number, loaded: readonly string[]): string[] {
    const found = new Set(loaded);
    const lost: string[] = [];
    for (const [label, number] of this.#numbers) {
      if (number !== NOT_ACKNOWLEDGED && number <= numberAtStart && !found.has(label)) lost.push(label);
    }
    return lost;
  }

  /** Forgets the labels that are acknowledged. */
  forget(): void {
    for (const label of this.#numbers.keys()) this.distrust(label);
  }
}
