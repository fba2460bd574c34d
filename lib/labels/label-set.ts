import { AplSessionError } from '../contract/errors.js';
import { assertLabel } from './label.js';
import type { UnsavedLabels } from './unsaved-labels.js';

/**
 * The labels of one request: a real `Set<string>` that only grows. It starts with what the store returned, which is
 * taken as it is (a label of another writer must not vanish because it is not one that we would make); whatever is
 * added after that is checked, and noted in `unsaved` unless it is for this message only.
 */
export class LabelSet extends Set<string> {
  readonly #unsaved: UnsavedLabels;
  /** Labels that end with the request; the store must never see them. */
  #messageOnly: Set<string> | undefined;
  /** Who has adopted these labels, and gets what somebody that still holds this set adds to it. */
  #heir: LabelSet | undefined;

  constructor(stored: Iterable<string>, unsaved: UnsavedLabels) {
    super();
    this.#unsaved = unsaved;
    for (const label of stored) super.add(label);
  }

  /**
   * Adds a label to the session, also one that was there for this message only.
   * @throws AplSessionError `label.invalid`
   */
  override add(label: string): this {
    if (this.has(label) && !this.#messageOnly?.delete(label)) return this;
    assertLabel(label);
    super.add(label);
    this.#unsaved.note(label);
    this.#heir?.add(label);
    return this;
  }

  /**
   * Adds a label for the rest of this request only. One that the session has stays the session's.
   * @throws AplSessionError `label.invalid`
   */
  addForMessage(label: string): this {
    if (this.has(label)) return this;
    assertLabel(label);
    super.add(label);
    this.#messageOnly ??= new Set();
    this.#messageOnly.add(label);
    this.#heir?.addForMessage(label);
    return this;
  }

  /**
   * Adds what another writer has put on the same request; labels of another `LabelSet` keep their scope,
   * and what is added to that one later is added here as well.
   * @throws AplSessionError `label.invalid`
   */
  adopt(labels: Iterable<string>): void {
    const messageOnly = labels instanceof LabelSet ? labels.#messageOnly : undefined;
    for (const label of labels) {
      if (messageOnly?.has(label)) this.addForMessage(label);
      else this.add(label);
    }
    if (labels instanceof LabelSet) labels.#heir = this;
  }

  /** @throws AplSessionError `label.immutable`, always */
  override delete(_label: string): never {
    throw onlyGrows('delete');
  }

  /** @throws AplSessionError `label.immutable`, always */
  override clear(): never {
    throw onlyGrows('clear');
  }
}

function onlyGrows(method: string): AplSessionError {
  return new AplSessionError(
    'label.immutable',
    `labels.${method}() is refused: the labels of a session only grow. To start over, use a new session.`,
  );
}
