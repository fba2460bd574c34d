import type { ValidationErrorItem } from 'joi';
import { kindOfValue } from './kind-of-value.js';

type Context = Readonly<Record<string, unknown>>;

/** What joi calls the types of its schemas, in the words of JavaScript. */
const TYPES: Readonly<Record<string, string>> = {
  array: 'an array',
  binary: 'a Buffer',
  boolean: 'true or false',
  function: 'a function',
  number: 'a number',
  object: 'an object',
  string: 'a string',
};

/** What is wrong with a value, by joi's type of the fault; follows the name of the option. It holds no value. */
const FAULTS: Readonly<Record<string, (context: Context) => string>> = {
  'any.only': ({ valids, value }) =>
    `must be ${either(valids)}; got ${typeof value === 'string' ? 'another text' : received(value)}`,
  'any.invalid': ({ invalids }) => `must not be ${either(invalids)}`,
  'any.custom': ({ error }) => (error as Error).message,
  'string.empty': () => 'is an empty string; give a text, or leave the option out',
  'string.min': ({ limit }) => `must have at least ${counted(limit, 'character')}`,
  'string.max': ({ limit }) => `must have at most ${counted(limit, 'character')}`,
  'string.hostname': () => 'must be a host name, for example valkey.internal',
  // the message of joi shows the value
  'string.pattern.name': ({ name }) => `must be ${name}`,
  'string.pattern.base': () => 'has a character that is not allowed',
  'number.integer': () => 'must be a whole number',
  'number.min': ({ limit }) => `must be at least ${limit}`,
  'number.max': ({ limit }) => `must be at most ${limit}`,
  'number.unsafe': () => 'must be a whole number up to Number.MAX_SAFE_INTEGER',
  'number.infinity': () => 'must be a finite number',
  'array.min': ({ limit }) => `must have at least ${counted(limit, 'item')}`,
  'alternatives.types': ({ types, value }) => `must be ${alternatives(types)}; got ${received(value)}`,
  'alternatives.match': ({ value }) => `has a wrong type or a wrong member; got ${received(value)}`,
};

/** A schema may have a message of its own for these types. */
const WORDING_OF_JOI: Readonly<Record<string, RegExp>> = {
  'any.only': /must be (?:one of )?\[/,
  'any.custom': /failed custom validation/,
  'array.min': /must contain at least/,
};

/** Faults that another one of the same option explains better. */
const IMPLIED = /\.(?:base|empty)$/;

/** Removes faults that a list of allowed values implies: for `null`, 'must be one of …' is enough, without 'must be a string'. */
export function withoutImplied(details: readonly ValidationErrorItem[]): ValidationErrorItem[] {
  const listed = new Set(details.filter(({ type }) => type === 'any.only').map(({ path }) => path.join('.')));
  return details.filter(({ type, path }) => !(IMPLIED.test(type) && listed.has(path.join('.'))));
}

/** A sentence without its full stop. `name` is the option in quotes. */
export function valueFault(name: string, { type, message, context = {} }: ValidationErrorItem): string {
  if (type === 'object.xor') return `${quoted(context['peers'])} exclude each other; keep one of them`;
  if (type === 'object.missing') return `one of ${quoted(context['peers'])} is required`;
  const fault = FAULTS[type];
  if (fault && (WORDING_OF_JOI[type]?.test(message) ?? true)) return `${name} ${fault(context)}`;
  if (!type.endsWith('.base')) return message;
  // the type of a function is 'object.base' too
  const wanted = type === 'object.base' ? String(context['type']) : type.slice(0, -'.base'.length);
  return baseFault(name, wanted, message, context['value']);
}

function baseFault(name: string, type: string, message: string, given: unknown): string {
  const wanted = type === 'boolean' ? 'a boolean' : TYPES[type];
  // a schema may have a message of its own for it
  const isOwn = !/ must be (?:an? |of type )\w+$/.test(message);
  const text = isOwn || wanted === undefined ? message : `${name} must be ${wanted}`;
  if (typeof given !== 'string') return `${text}; got ${received(given)}`;
  if (type === 'number') return `${text}; got a string: convert it with Number()`;
  return type === 'boolean' ? `${text}; got a string: write true or false without quotes` : `${text}; got a string`;
}

function received(value: unknown): string {
  return Number.isNaN(value) ? 'NaN' : kindOfValue(value);
}

function counted(count: unknown, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function quoted(names: unknown): string {
  return (names as readonly string[]).map((name) => `'${name}'`).join(' and ');
}

function either(values: unknown): string {
  return joined(
    (values as readonly unknown[]).map((value) => (typeof value === 'string' ? `'${value}'` : String(value))),
  );
}

function alternatives(types: unknown): string {
  return joined((types as readonly unknown[]).map((type) => TYPES[String(type)] ?? String(type)));
}

function joined(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
