import type { ObjectSchema } from 'joi';
import { AplSessionError } from '../contract/errors.js';
import { assertOwnKeys } from './own-keys.js';

/**
 * Validates `value` against a joi schema and returns a frozen copy with defaults applied. No conversion: `"5"` is
 * not 5. Every fault is named at once; messages hold keys and expectations, never values.
 * @throws AplSessionError `config.invalid`
 */
export function parseOptions<T extends object>(what: string, schema: ObjectSchema<T>, value: unknown): Readonly<T> {
  if (isObject(value)) {
    assertOwnKeys(what, value);
    // joi takes an own key `__proto__` for nothing, at any depth; the options of this package have two levels
    for (const [key, member] of Object.entries(value)) {
      if (isObject(member) && Object.hasOwn(member, '__proto__')) assertOwnKeys(`${what}: '${key}'`, member);
    }
  }
  const { error, value: parsed } = schema
    .required()
    .label('options')
    .validate(value, { abortEarly: false, convert: false, errors: { wrap: { label: "'" } } });
  if (error) {
    const faults = error.details.map((detail) => detail.message).join('; ');
    throw new AplSessionError('config.invalid', `${what}: ${faults}.`);
  }
  return Object.freeze({ ...parsed });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
