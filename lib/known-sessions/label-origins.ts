import type { LabelOrigin } from '../contract/provenance.js';

/**
 * The first origins of the labels that this process has added to a session. Most sessions get one label, and this object stays in
 * memory after the last request of its session, so the first label needs no Map.
 */
export class LabelOrigins {
  #label: string | undefined;
  #origin: LabelOrigin | undefined;
  #others: Map<string, LabelOrigin> | undefined;

  note(label: string, origin: LabelOrigin): void {
    Object.freeze(origin);
    if (this.#label !== undefined && this.#label !== label) {
      this.#others ??= new Map();
      this.#others.set(label, origin);
    } else {
      this.#label = label;
      this.#origin = origin;
    }
  }

  /** The origins of these labels. A label that another process has added has no origin. */
  of(labels: readonly string[]): ReadonlyMap<string, LabelOrigin> {
    const found = new Map<string, LabelOrigin>();
    for (const label of labels) {
      const origin = label === this.#label ? this.#origin : this.#others?.get(label);
      if (origin) found.set(label, origin);
    }
    return found;
  }

  /** Forgets the origins of all other labels. */
  keepOnly(labels: Iterable<string>): void {
    const kept = new Set(labels);
    if (this.#label !== undefined && !kept.has(this.#label)) {
      this.#label = undefined;
      this.#origin = undefined;
    }
    for (const label of this.#others?.keys() ?? []) if (!kept.has(label)) this.#others?.delete(label);
  }
}
