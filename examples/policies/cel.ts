// #region docs
import { Environment } from '@marcbachmann/cel-js';
import type { DecidePolicy, Violation } from 'express-apl-session';

const environment = new Environment().registerVariable('labels', 'list<string>').registerVariable('subject', 'string');

/** A decision by a CEL expression; one that does not fit is an error at the start of the app. */
export function decideByCel(expression: string, violation: Violation): DecidePolicy<string | undefined> {
  const evaluate = environment.parse(expression);
  const { type, error } = evaluate.check();
  if (type !== 'bool') throw error ?? new Error(`The expression must be a bool; it is ${type}.`);

  return ({ labels, subject = '' }) =>
    evaluate({ labels: [...labels], subject }) === true ? { allow: true } : violation;
}
// #endregion
