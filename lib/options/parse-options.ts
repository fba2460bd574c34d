import type { ObjectSchema } from 'joi';
import { AplSessionError } from '../contract/errors.js';
import { isPromiseLike } from '../util/maybe-promise.js';
import { assertCalled } from './assert-called.js';
import { type OptionHints, optionFaults } from './option-faults.js';
import { assertOwnKeys } from './own-keys.js';
import { assertCalledOptions } from './uncalled.js';

/**
 * Validates options without type conversion and returns a frozen copy with defaults.
 * @throws AplSessionError `config.invalid`; the message names every fault and holds no value
 */
export function parseOptions<T extends object>(
  what: string,
  schema: ObjectSchema<T>,
  value: unknown,
  hints?: OptionHints,
): Readonly<T> {
  assertCalled(what, value);
  assertCalledOptions(what, value);
  // a promise is an object without options, so joi would report other faults
  if (isPromiseLike(value))
    throw new AplSessionError('config.invalid', `${what}: the options are a promise; await it.`);
  if (isObject(value)) {
    assertOwnKeys(what, value);
    // joi ignores an own key `__proto__` at any depth; the options of this package have two levels
    for (const [key, member] of Object.entries(value)) {
      if (isObject(member) && Object.hasOwn(member, '__proto__')) assertOwnKeys(`${what}: '${key}'`, member);
    }
  }
  const { error, value: parsed } = schema
    .required()
    .label('options')
    .validate(value, { abortEarly: false, convert: false, errors: { wrap: { label: "'" } } });
  if (error) {
    throw new AplSessionError('config.invalid', `${what}: ${optionFaults(error.details, schema, hints)}`);
  }
  // a promise is an object, so joi accepts it where it accepts an object without required members
  for (const [key, member] of Object.entries(value as object)) {
    if (!isPromiseLike(member) || schema.extract(key).type === 'any') continue;
    throw new AplSessionError('config.invalid', `${what}: '${key}' is a promise; await it.`);
  }
  return Object.freeze({ ...parsed });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
