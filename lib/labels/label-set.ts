import { AplSessionError } from '../contract/errors.js';
import { assertLabel } from './label.js';

export interface NewLabelListener {
  /**
   * Called for each label that is added to the session.
   * @param by the guard or rule that has added it, if one has
   */
  onNewLabel(label: string, by: string | undefined): void;
}

/** A set that adopts the labels of another set. */
type Adopter = Pick<LabelSet, 'add' | 'addForMessage'>;

/** Whether a set has a label. Unlike `has()` it does not count as a check of the app, see `WatchedLabels`. */
export function hasLabel(labels: ReadonlySet<string>, label: string): boolean {
  return Set.prototype.has.call(labels, label);
}

/** The labels of a set. Unlike an iteration it does not count as a check of the app, see `WatchedLabels`. */
export function labelsIn(labels: ReadonlySet<string>): SetIterator<string> {
  return Set.prototype.values.call(labels);
}

/** A registered symbol, so that a set can adopt the labels of a set of another copy of this package. */
const kAdoptInto = Symbol.for('express-apl-session.adopt-into');

/**
 * The labels of one request: a `Set<string>` that only grows. It starts with the labels of the session, which are not checked:
 * a label of another writer must not vanish because this package would not create it. Each label that is added later is
 * checked, and the listener is notified unless the label is for this message only.
 */
export class LabelSet extends Set<string> {
  readonly #listener: NewLabelListener;
  /** Labels that end with the request. They must never reach the store. */
  #messageOnly: Set<string> | undefined;
  /** The set that has adopted these labels. It also gets the labels that are added here later. */
  #adopter: Adopter | undefined;

  constructor(present: Iterable<string>, listener: NewLabelListener) {
    super();
    this.#listener = listener;
    for (const label of present) super.add(label);
  }

  /**
   * Adds a label to the session, even if this set has it for the message only.
   * @throws AplSessionError `label.invalid`
   */
  override add(label: string): this {
    return this.addBy(label, undefined);
  }

  /**
   * The same for a guard or a rule.
   * @param by its name in the origin of the label
   */
  addBy(label: string, by: string | undefined): this {
    if (hasLabel(this, label) && !this.#messageOnly?.delete(label)) return this;
    assertLabel(label);
    super.add(label);
    // the adopter persists the labels
    if (this.#adopter) this.#adopter.add(label);
    else this.#listener.onNewLabel(label, by);
    return this;
  }

  /**
   * Adds a label for the rest of this request only. A label of the session stays in the session.
   * @throws AplSessionError `label.invalid`
   */
  addForMessage(label: string): this {
    if (hasLabel(this, label)) return this;
    assertLabel(label);
    super.add(label);
    this.#messageOnly ??= new Set();
    this.#messageOnly.add(label);
    this.#adopter?.addForMessage(label);
    return this;
  }

  /** Adds a label that another request has added to the session. */
  receive(label: string): void {
    this.#messageOnly?.delete(label);
    super.add(label);
  }

  /**
   * Adds the labels that other code has put on the same request. Labels of another `LabelSet` keep their scope, and labels
   * that are added to that set later are added here too.
   * @throws AplSessionError `label.invalid`
   */
  adopt(labels: Iterable<string>): void {
    const adoptInto: unknown = (labels as Partial<LabelSet>)[kAdoptInto];
    if (typeof adoptInto === 'function') adoptInto.call(labels, this);
    else for (const label of labels) this.add(label);
  }

  [kAdoptInto](adopter: Adopter): void {
    for (const label of labelsIn(this)) {
      if (this.#messageOnly?.has(label)) adopter.addForMessage(label);
      else adopter.add(label);
    }
    this.#adopter = adopter;
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
    `labels.${method}() is not allowed: the labels of a session only grow. Use a new session to start again.`,
  );
}
