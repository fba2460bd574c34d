/**
 * Which labels of a request the store has not acknowledged. Kept apart from the set that handlers see, so that no
 * handler can declare a label saved.
 */
export class UnsavedLabels {
  /** Those that were taken come first. */
  #labels: string[] = [];
  readonly #onNote: () => void;
  #untried = false;

  /** @param onNote called after each label that was noted */
  constructor(onNote: () => void) {
    this.#onNote = onNote;
  }

  /** Whether any label waits for the store's acknowledgement, tried or not. */
  get any(): boolean {
    return this.#labels.length > 0;
  }

  /** Whether a label was noted since the last `take()`: only then is another append worth its time. */
  get untried(): boolean {
    return this.#untried;
  }

  note(label: string): void {
    // a list that grows by itself reserves room for many
    if (this.#labels.length === 0) this.#labels = [label];
    else this.#labels.push(label);
    this.#untried = true;
    this.#onNote();
  }

  /** Everything that is not saved, for one append. Frozen: a store that empties its list must not have saved nothing for ever. */
  take(): readonly string[] {
    this.#untried = false;
    return Object.freeze([...this.#labels]);
  }

  /** The store has acknowledged what was taken last. */
  saved(labels: readonly string[]): void {
    this.#labels = this.#labels.slice(labels.length);
  }
}
