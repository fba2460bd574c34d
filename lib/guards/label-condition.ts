import Joi from 'joi';
import { AplSessionError } from '../contract/errors.js';
import { assertLabel } from '../labels/label.js';
import { hasLabel } from '../labels/label-set.js';
import { parseOptions } from '../options/parse-options.js';

/** At least one label. */
export type Labels = readonly [string, ...string[]];

/** True for a request with this label, with at least one of `any`, or with all of `all`. Case-sensitive. */
export type LabelCondition =
  | string
  | { readonly any: Labels; readonly all?: never }
  | { readonly all: Labels; readonly any?: never };

const list = Joi.array().min(1);
const schema = Joi.object<{ any?: readonly unknown[]; all?: readonly unknown[] }>({ any: list, all: list }).xor(
  'any',
  'all',
);

/** @throws AplSessionError `label.invalid` or `config.invalid` */
export function labelTest(guard: string, condition: LabelCondition): (labels: ReadonlySet<string>) => boolean {
  if (typeof condition !== 'object' || condition === null) {
    const [label] = assertLabels([condition]);
    return (labels) => hasLabel(labels, label);
  }
  if (Array.isArray(condition)) {
    throw new AplSessionError(
      'config.invalid',
      `${guard}: a list alone could mean any or all of its labels; write { any: [...] } or { all: [...] }.`,
    );
  }
  const { any, all } = parseOptions(guard, schema, condition);
  if (any) {
    const wanted = assertLabels(any);
    return (labels) => wanted.some((label) => hasLabel(labels, label));
  }
  const wanted = assertLabels(all ?? []);
  return (labels) => wanted.every((label) => hasLabel(labels, label));
}

/**
 * Checks and copies a list of labels.
 * @throws AplSessionError `label.invalid`
 */
export function assertLabels(values: readonly unknown[]): Labels {
  const [first, ...rest] = Array.from(values, (label) => {
    assertLabel(label);
    return label;
  });
  if (first === undefined) throw new AplSessionError('label.invalid', 'At least one label is required.');
  return [first, ...rest];
}
