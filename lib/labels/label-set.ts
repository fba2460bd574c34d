import { AplSessionError } from '../contract/errors.js';
import { assertLabel } from './label.js';
import type { UnsavedLabels } from './unsaved-labels.js';

/**
 * The labels of one request: a real `Set<string>` that only grows. It starts with what the store returned, which is
 * taken as it is (a label of another writer must not vanish because it is not one that we would make); whatever is
 * added after that is checked, and noted in `unsaved`.
 */
export class LabelSet extends Set<string> {
  readonly #unsaved: UnsavedLabels;

  constructor(stored: Iterable<string>, unsaved: UnsavedLabels) {
    super();
    this.#unsaved = unsaved;
    for (const label of stored) super.add(label);
  }

  /** @throws AplSessionError `label.invalid` */
  override add(label: string): this {
    if (this.has(label)) return this;
    assertLabel(label);
    super.add(label);
    this.#unsaved.note(label);
    return this;
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
