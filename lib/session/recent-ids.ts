/** How many texts one generation has. Two generations of texts with 200 characters take about 1 MB. */
const MAX_TEXTS = 1_000;
/** A longer text is not remembered: clients choose session ids, and could fill the memory. */
const MAX_LENGTH = 200;

/**
 * Remembers the ids of the sessions that requests have used lately, or their keys in Valkey, because a digest takes more
 * instructions than all other steps of finding a session. When one generation is full, it replaces the one before.
 */
export class RecentIds {
  readonly #digest: (text: string) => string;
  #recent = new Map<string, string>();
  #earlier = new Map<string, string>();

  constructor(digest: (text: string) => string) {
    this.#digest = digest;
  }

  /** The number of texts that are remembered. */
  get size(): number {
    return this.#recent.size + this.#earlier.size;
  }

  /** The digest of a text. */
  of(text: string): string {
    const known = this.#recent.get(text);
    if (known !== undefined) return known;
    const id = this.#earlier.get(text) ?? this.#digest(text);
    if (text.length <= MAX_LENGTH) this.#remember(text, id);
    return id;
  }

  #remember(text: string, id: string): void {
    if (this.#recent.size >= MAX_TEXTS) {
      this.#earlier = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(text, id);
  }
}
