import type { Condition } from './expression.js';
import type { Key } from './key.js';
import type { LanguageContext } from './language-context.js';

/** What the value of an attribute can be. `flag`: `true`, or absent. */
type AttributeType = 'flag' | 'text' | 'set' | 'number';

const TYPES: ReadonlyArray<readonly [pattern: string, type: AttributeType]> = [
  ...(['authenticated', 'role.*', 'perm.*', 'team.*'] as const).map((name) => [name, 'flag'] as const),
  ...(['security.labels', 'subject.teams'] as const).map((name) => [name, 'set'] as const),
  ['http.response_status', 'number'],
  ...(['subject.id', 'subject.type', 'claim.*', 'route.key', 'http.method', 'http.path'] as const).map(
    (name) => [name, 'text'] as const,
  ),
  ...(['http.host', 'http.scheme', 'http.request_headers.*', 'http.response_headers.*'] as const).map(
    (name) => [name, 'text'] as const,
  ),
];

const WHAT: Readonly<Record<AttributeType, string>> = {
  flag: 'true or absent',
  text: 'a string',
  set: 'a set of strings',
  number: 'a number',
};

/** Attributes that only the rules of the post phase have. */
const OF_RESPONSE = ['result.*', 'http.response_status', 'http.response_headers.*'];

/** What is wrong with the value of a known attribute; `undefined` for a value of its type, and for attributes of the app's own. */
export function wrongType(name: string, value: unknown): string | undefined {
  const type = typeOf(name);
  if (type === undefined) return undefined;
  const isRight: Readonly<Record<AttributeType, boolean>> = {
    flag: typeof value === 'boolean',
    text: typeof value === 'string',
    set: Array.isArray(value) || value instanceof Set,
    number: typeof value === 'number',
  };
  return isRight[type] ? undefined : `${name} must be ${WHAT[type]}`;
}

function typeOf(name: string): AttributeType | undefined {
  return TYPES.find(([pattern]) => fits(name, pattern))?.[1];
}

/** A condition that has the same value for every request. */
export interface Pointless {
  readonly problem: string;
  readonly fix: string;
}

/** Whether a name fits a pattern: `role.hr` fits `role.*`. */
export function fits(name: string, pattern: string): boolean {
  if (!pattern.endsWith('.*')) return name === pattern;
  const prefix = pattern.slice(0, -1);
  return name.startsWith(prefix) && name.length > prefix.length;
}

/** Finds a condition that no request can meet, or that every request with the attribute meets. CPEX accepts it in silence. */
export function pointless(condition: Condition, { phase, declared }: LanguageContext): Pointless | undefined {
  const typeOfKey = ({ text, groups }: Key): AttributeType | undefined =>
    groups !== undefined || declared.some((pattern) => fits(text, pattern)) ? undefined : typeOf(text);
  for (const { text } of condition.kind === 'in' ? [condition.key, condition.set] : [condition.key]) {
    if (phase === 'pre' && OF_RESPONSE.some((pattern) => fits(text, pattern))) {
      return { problem: `${text} does not exist before the handler`, fix: 'Put the rule under post_invocation.' };
    }
    if (/^http\.re(?:quest|sponse)_headers\..*[A-Z]/.test(text)) {
      return { problem: 'The names of headers are in lower case', fix: `Write ${text.toLowerCase()}.` };
    }
  }
  switch (condition.kind) {
    case 'exists':
      return undefined;
    case 'key':
      return ofKey(condition.key.text, typeOfKey(condition.key));
    case 'in':
      return ofMembership(condition.key.text, typeOfKey(condition.key), condition.set.text, typeOfKey(condition.set));
    case 'compare':
      return ofComparison(condition, typeOfKey(condition.key));
  }
}

function ofKey(name: string, type: AttributeType | undefined): Pointless | undefined {
  if (type === undefined || type === 'flag') return undefined;
  const fix =
    type === 'set' ? `Write ${name} contains "…", or exists(${name}).` : `Compare it, or write exists(${name}).`;
  return { problem: `${name} is ${WHAT[type]}, so it is never the boolean true`, fix };
}

function ofMembership(
  name: string,
  type: AttributeType | undefined,
  set: string,
  setType: AttributeType | undefined,
): Pointless | undefined {
  const fix = 'Write value in set: two keys, a string and a set of strings. For a text write set contains "text".';
  if (type !== undefined && type !== 'text') return { problem: `${name} is ${WHAT[type]}, so it is in no set`, fix };
  if (setType !== undefined && setType !== 'set') return { problem: `${set} is ${WHAT[setType]}, and no set`, fix };
  return undefined;
}

function ofComparison(
  { key: { text: name }, operator, literal, order }: Extract<Condition, { kind: 'compare' }>,
  type: AttributeType | undefined,
): Pointless | undefined {
  if (operator === 'contains') {
    if (typeof literal !== 'string') return { problem: 'A set has only strings', fix: 'Write the text in quotes.' };
    if (type === undefined || type === 'set') return undefined;
    return {
      problem: `${name} is ${WHAT[type]}, and no set`,
      fix: `Write ${type === 'flag' ? name : `${name} == "…"`}.`,
    };
  }
  if (operator !== '==' && operator !== '!=') {
    if (order === undefined) return { problem: 'Only numbers have an order', fix: 'Write a number on the right side.' };
    if (type !== 'flag' && type !== 'set') return undefined;
    return { problem: `${name} is ${WHAT[type]}, and has no order`, fix: 'Write another condition.' };
  }
  switch (type) {
    case undefined:
      return undefined;
    case 'flag':
      return literal === true ? undefined : { problem: `${name} is ${WHAT[type]}`, fix: `Write ${name} or !${name}.` };
    case 'set':
      return { problem: `${name} is ${WHAT[type]}, and equals nothing`, fix: `Write ${name} contains "…".` };
    case 'text':
      if (name === 'http.method' && typeof literal === 'string' && literal !== literal.toUpperCase()) {
        return { problem: 'Methods are in upper case', fix: `Write ${JSON.stringify(literal.toUpperCase())}.` };
      }
      if (typeof literal === 'string') return undefined;
      return { problem: `${name} is ${WHAT[type]}, and equals no other value`, fix: 'Put the right side into quotes.' };
    case 'number':
      if (typeof literal === 'object') return undefined;
      return { problem: `${name} is ${WHAT[type]}`, fix: 'Write a number without quotes.' };
  }
}
