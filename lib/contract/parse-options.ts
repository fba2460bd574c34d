import type { ObjectSchema } from 'joi';
import { AplSessionError } from './errors.js';

/**
 * Validates `value` against a joi schema and returns a frozen copy with defaults applied. No conversion: `"5"` is
 * not 5. Every fault is named at once; messages hold keys and expectations, never values.
 * @throws AplSessionError `config.invalid`
 */
export function parseOptions<T extends object>(what: string, schema: ObjectSchema<T>, value: unknown): Readonly<T> {
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
