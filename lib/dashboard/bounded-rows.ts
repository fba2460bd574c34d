/** Rows by their key, each counted or updated in place. The row that was updated least recently is dropped if there are too many. */
export class BoundedRows<Row extends object> {
  readonly #max: number;
  readonly #rows = new Map<string, Row>();
  #dropped = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** How many rows were dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  update(keyParts: ReadonlyArray<string | undefined>, updated: (earlier: Row | undefined) => Row): void {
    const key = JSON.stringify(keyParts);
    const earlier = this.#rows.get(key);
    // a Map keeps the order of insertion
    this.#rows.delete(key);
    this.#rows.set(key, updated(earlier));
    if (this.#rows.size > this.#max) this.#dropOldest();
  }

  /** Updates each row without changing the order. */
  updateAll(updated: (row: Row) => Row): void {
    for (const [key, row] of this.#rows) this.#rows.set(key, updated(row));
  }

  /** The row that was updated last comes first. */
  list(): Row[] {
    return [...this.#rows.values()].reverse();
  }

  #dropOldest(): void {
    for (const key of this.#rows.keys()) {
      this.#rows.delete(key);
      this.#dropped += 1;
      return;
    }
  }
}
