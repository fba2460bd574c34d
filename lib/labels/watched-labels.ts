import { LabelSet, type NewLabelListener } from './label-set.js';

/** The methods of newer versions of Node that compare two sets. They do not call the methods of the set that they read. */
const COMPARISONS = [
  'union',
  'intersection',
  'difference',
  'symmetricDifference',
  'isSubsetOf',
  'isSupersetOf',
  'isDisjointFrom',
];

/**
 * Labels whose reads are reported: on a request without a session, a check decides without the labels of earlier requests.
 * Code of this package reads them with `hasLabel()` and `labelsIn()`, which report nothing.
 */
export class WatchedLabels extends LabelSet {
  readonly #onRead: () => void;

  constructor(present: Iterable<string>, listener: NewLabelListener, onRead: () => void) {
    super(present, listener);
    this.#onRead = onRead;
  }

  static {
    for (const name of COMPARISONS) {
      const compare: unknown = Reflect.get(Set.prototype, name);
      if (typeof compare !== 'function') continue;
      const value = function (this: WatchedLabels, other: unknown): unknown {
        this.#onRead();
        return compare.call(this, other);
      };
      Object.defineProperty(WatchedLabels.prototype, name, { value, configurable: true, writable: true });
    }
  }

  override get size(): number {
    this.#onRead();
    return super.size;
  }

  override has(label: string): boolean {
    this.#onRead();
    return super.has(label);
  }

  override forEach(callback: (label: string, same: string, set: Set<string>) => void, thisArg?: unknown): void {
    this.#onRead();
    super.forEach(callback, thisArg);
  }

  override entries(): SetIterator<[string, string]> {
    this.#onRead();
    return super.entries();
  }

  override keys(): SetIterator<string> {
    return this.values();
  }

  override values(): SetIterator<string> {
    this.#onRead();
    return super.values();
  }

  override [Symbol.iterator](): SetIterator<string> {
    return this.values();
  }
}
