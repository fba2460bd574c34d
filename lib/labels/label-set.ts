import { AplSessionError } from '../contract/errors.js';
import { assertLabel } from './label.js';

/** Is told of each label that a request adds to its session. */
export interface NewLabelListener {
  onNewLabel(label: string): void;
}

/** Who gets the labels of another set, each with its scope. */
type Heir = Pick<LabelSet, 'add' | 'addForMessage'>;

/** Known to other copies of this package, so that a set of one can be adopted by a set of another. */
const kBequeath = Symbol.for('express-apl-session.bequeath');

/**
 * The labels of one request: a real `Set<string>` that only grows. It starts with the labels that the session has, which
 * are taken as they are (a label of another writer must not vanish because it is not one that we would make). Each label
 * that is added after that is checked, and the listener is told of it unless it is for this message only.
 */
export class LabelSet extends Set<string> {
  readonly #listener: NewLabelListener;
  /** Labels that end with the request; the store must never see them. */
  #messageOnly: Set<string> | undefined;
  /** The set that adopted these labels; labels that are added here later are added there, too. */
  #heir: Heir | undefined;

  constructor(present: Iterable<string>, listener: NewLabelListener) {
    super();
    this.#listener = listener;
    for (const label of present) super.add(label);
  }

  /**
   * Adds a label to the session, also one that was there for this message only.
   * @throws AplSessionError `label.invalid`
   */
  override add(label: string): this {
    if (this.has(label) && !this.#messageOnly?.delete(label)) return this;
    assertLabel(label);
    super.add(label);
    // labels of an adopted set are persisted by the set that adopted them
    if (this.#heir) this.#heir.add(label);
    else this.#listener.onNewLabel(label);
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

  /** Adds a label that the session has by another request. */
  receive(label: string): void {
    this.#messageOnly?.delete(label);
    super.add(label);
  }

  /**
   * Adds what another writer has put on the same request; labels of another `LabelSet` keep their scope,
   * and what is added to that one later is added here as well.
   * @throws AplSessionError `label.invalid`
   */
  adopt(labels: Iterable<string>): void {
    const bequeath: unknown = (labels as Partial<LabelSet>)[kBequeath];
    if (typeof bequeath === 'function') bequeath.call(labels, this);
    else for (const label of labels) this.add(label);
  }

  [kBequeath](heir: Heir): void {
    for (const label of this) {
      if (this.#messageOnly?.has(label)) heir.addForMessage(label);
      else heir.add(label);
    }
    this.#heir = heir;
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
