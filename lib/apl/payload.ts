import { AplSessionError } from '../contract/errors.js';
import type { Attributes, AttributeValue } from './attributes.js';

/** The arguments and the result of a call, while chains change them. The values that were passed stay as they are. */
export interface Payload {
  args: PayloadSide;
  result: PayloadSide;
}

export interface PayloadSide {
  /** `undefined` if there is no value. */
  readonly value: unknown;
  readonly isChanged: boolean;
}

/** Deeper values are refused, because a walk could end the stack. */
const DEEPEST = 500;

/** The value of a dotted path; `undefined` if a part is absent. Arrays have no parts. */
export function fieldAt({ value }: PayloadSide, path: string): { readonly value: unknown } | undefined {
  let current = value;
  for (const part of path.split('.')) {
    if (!isObject(current) || !Object.hasOwn(current, part)) return undefined;
    current = current[part];
  }
  return { value: current };
}

/** A side with another value in a field that {@link fieldAt} has found. `undefined` removes the field. */
export function withField(
  { value }: PayloadSide,
  path: string,
  replacement: { value: unknown } | undefined,
): PayloadSide {
  const parts = path.split('.');
  const changed = (given: unknown, at: number): unknown => {
    const part = parts[at] as string;
    const entries = Object.entries(given as object);
    const isLast = at === parts.length - 1;
    return Object.fromEntries(
      isLast && !replacement
        ? entries.filter(([key]) => key !== part)
        : entries.map(([key, member]) => {
            if (key !== part) return [key, member];
            return [key, isLast ? replacement?.value : changed(member, at + 1)];
          }),
    );
  };
  return { value: changed(value, 0), isChanged: true };
}

/**
 * The attributes of a value of JSON: `args.user.id` for `{ user: { id } }`. Arrays of strings become sets; other arrays,
 * empty ones and null have no attribute.
 * @throws AplSessionError `policy.error` for a value that is nested too deeply, or that gives one attribute two values
 *
 * @example
 * attributesOfValue('args', { amount: 5, tags: ['urgent'] }); // { 'args.amount': 5, 'args.tags': Set { 'urgent' } }
 */
export function attributesOfValue(prefix: 'args' | 'result' | 'data', value: unknown): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = Object.create(null);
  const visit = (name: string, member: unknown, depth: number): void => {
    if (depth > DEEPEST) throw invalid(`${prefix} is nested too deeply`);
    if (isObject(member)) {
      for (const [key, inner] of Object.entries(member)) visit(`${name}.${key}`, inner, depth + 1);
      return;
    }
    const attribute = attributeOf(member);
    if (attribute === undefined) return;
    // { a: { b: 1 }, 'a.b': 2 }: a rule would read one of them, and the handler the other
    if (name in attributes) throw invalid(`two fields of ${prefix} have the same path`);
    attributes[name] = attribute;
  };
  visit(prefix, value, 0);
  return attributes;
}

function attributeOf(value: unknown): AttributeValue | undefined {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  const isSet = Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');
  return isSet ? new Set(value) : undefined;
}

/** Builds an object from the attributes that begin with `args.` or `result.`. Returns `undefined` if no attribute does. */
export function valueOfAttributes(prefix: 'args' | 'result', attributes: Attributes): unknown {
  const root: Record<string, unknown> = Object.create(null);
  const names = Object.keys(attributes).filter((name) => name.startsWith(`${prefix}.`));
  for (const name of names) {
    const parts = name.split('.').slice(1);
    const last = parts.pop() as string;
    let current = root;
    for (const part of parts) {
      if (!(part in current)) current[part] = Object.create(null);
      const next = current[part];
      if (!isObject(next)) throw invalid(`two attributes of ${prefix} contradict each other`);
      current = next as Record<string, unknown>;
    }
    const value = attributes[name];
    if (last in current) throw invalid(`two attributes of ${prefix} contradict each other`);
    current[last] = value instanceof Set ? [...value] : value;
  }
  return names.length === 0 ? undefined : root;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(fault: string): AplSessionError {
  return new AplSessionError('policy.error', `The attributes cannot be read: ${fault}.`);
}
