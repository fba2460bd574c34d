import type { LabelOrigin } from '../contract/provenance.js';

/** The first origins of the labels that this process has added to a session. */
export class LabelOrigins {
  readonly #origins = new Map<string, LabelOrigin>();

  note(label: string, origin: LabelOrigin): void {
    this.#origins.set(label, Object.freeze(origin));
  }

  /** The origins of these labels. A label that another process has added has no origin. */
  of(labels: readonly string[]): ReadonlyMap<string, LabelOrigin> {
    const found = new Map<string, LabelOrigin>();
    for (const label of labels) {
      const origin = this.#origins.get(label);
      if (origin) found.set(label, origin);
    }
    return found;
  }

  /** Forgets the origins of all other labels. */
  keepOnly(labels: Iterable<string>): void {
    const kept = new Set(labels);
    for (const label of this.#origins.keys()) if (!kept.has(label)) this.#origins.delete(label);
  }
}
