/** Hears of each label that the store does not know. */
export interface NewLabelListener {
  onNewLabel(): void;
}

const NONE: readonly string[] = Object.freeze([]);

/**
 * Which labels of a request the store has not acknowledged. Kept apart from the set that handlers see, so that no
 * handler can declare a label saved.
 */
export class UnsavedLabels {
  readonly #listener: NewLabelListener;
  /** What the last append took. Frozen: a store that empties its list must not have saved nothing for ever. */
  #taken = NONE;
  /** Noted since then. */
  #noted: string[] | undefined;

  constructor(listener: NewLabelListener) {
    this.#listener = listener;
  }

  /** Whether any label waits for the store's acknowledgement, tried or not. */
  get any(): boolean {
    return this.#noted !== undefined || this.#taken.length > 0;
  }

  /** Whether a label was noted since the last `take()`: only then is another append worth its time. */
  get untried(): boolean {
    return this.#noted !== undefined;
  }

  note(label: string): void {
    // a list that grows by itself reserves room for many
    if (this.#noted === undefined) this.#noted = [label];
    else this.#noted.push(label);
    this.#listener.onNewLabel();
  }

  /** Everything that is not saved, for one append. */
  take(): readonly string[] {
    const noted = this.#noted ?? [];
    this.#noted = undefined;
    this.#taken = Object.freeze(this.#taken.length > 0 ? this.#taken.concat(noted) : noted);
    return this.#taken;
  }

  /** The store has acknowledged what was taken last. */
  saved(): void {
    this.#taken = NONE;
  }
}
