import { AplSessionError } from '../contract/errors.js';
import { kindOfValue } from '../options/kind-of-value.js';
import type { Key } from './key.js';
import { numberText } from './numbers.js';

/** The value of an attribute. An array stands for a set of strings. */
export type AttributeValue = boolean | number | string | readonly string[] | ReadonlySet<string>;

/**
 * The values that rules read: own properties by their dotted keys. `undefined` counts as absent. A getter is called when a rule reads it.
 *
 * @example
 * const attributes: Attributes = { 'subject.id': 'alice', 'role.hr': true, 'security.labels': new Set(['secret']) };
 */
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

/** Prefixes of dotted keys. An object under one of them is a mistake: no rule would find what is in it. */
const PREFIXES = ['security', 'subject', 'role', 'perm', 'team', 'claim', 'http', 'args', 'result'];

/**
 * Checks that attributes are an object with dotted keys. Otherwise all would be absent, and most rules would not apply.
 * @throws AplSessionError `policy.error`
 */
export function assertAttributes(attributes: unknown): asserts attributes is Attributes {
  const isObject = typeof attributes === 'object' && attributes !== null && !Array.isArray(attributes);
  if (!isObject || attributes instanceof Map || attributes instanceof Set) {
    const got = kindOfValue(attributes);
    throw new AplSessionError(
      'policy.error',
      `The attributes must be an object such as { 'role.hr': true }; got ${got}.`,
    );
  }
  for (const prefix of PREFIXES) {
    if (!Object.hasOwn(attributes, prefix)) continue;
    const value: unknown = (attributes as Record<string, unknown>)[prefix];
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Set) continue;
    throw new AplSessionError(
      'policy.error',
      `The attributes must have dotted keys, such as '${prefix}.name'; '${prefix}' is an object. Use attributesOfValue() to make attributes of JSON.`,
    );
  }
}

/** @throws AplSessionError `policy.error` for a value that is no {@link AttributeValue} */
export function read(attributes: Attributes, name: string): AttributeValue | undefined {
  if (!Object.hasOwn(attributes, name)) return undefined;
  const value = attributes[name];
  switch (typeof value) {
    case 'boolean':
    case 'number':
    case 'string':
    case 'undefined':
      return value;
    default:
      if (value instanceof Set || Array.isArray(value)) return value;
      // an absent attribute could let a rule pass that must deny
      throw new AplSessionError(
        'policy.error',
        `The attribute ${name} must be a boolean, a number, a string, or an array or Set of strings; got ${kindOfValue(value)}.`,
      );
  }
}

/** The value of an attribute; `undefined` if it, or an attribute in a group of the key, is absent. */
export function readKey(attributes: Attributes, key: Key): AttributeValue | undefined {
  const name = key.groups === undefined ? key.text : resolved(attributes, key);
  return name === undefined ? undefined : read(attributes, name);
}

function resolved(attributes: Attributes, { groups = [], tail }: Key): string | undefined {
  let name = '';
  for (const { before, inner } of groups) {
    const value = read(attributes, inner);
    if (value === undefined || typeof value === 'object') return undefined;
    name += `${before}.${typeof value === 'number' ? numberText(value) : value}`;
  }
  return name + tail;
}

/** Whether a value is a set that has this member. */
export function hasMember(set: AttributeValue | undefined, member: string): boolean {
  if (typeof set !== 'object') return false;
  return set instanceof Set ? set.has(member) : (set as readonly string[]).includes(member);
}
