import type { HeldResponse } from '../contract/events.js';

/**
 * The responses that are held now. Not a Set: that costs more than all counters of a request, because each object needs a hash, and
 * the table is copied whenever it grows or shrinks. A search of the list is faster up to a few hundred responses, and takes 3 µs for
 * 10,000.
 */
export class HeldResponses {
  readonly #responses: HeldResponse[] = [];

  get size(): number {
    return this.#responses.length;
  }

  get bytes(): number {
    return this.#responses.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  begin(response: HeldResponse): void {
    this.#responses.push(response);
  }

  /** Does nothing for a response whose hold began before the subscription. */
  end(response: HeldResponse): void {
    const index = this.#responses.indexOf(response);
    if (index < 0) return;
    const last = this.#responses.pop() as HeldResponse;
    if (last !== response) this.#responses[index] = last;
  }
}
