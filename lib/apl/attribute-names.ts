import { nearestName } from '../options/nearest-name.js';
import { fits, pointless } from './attribute-types.js';
import type { Condition, Expression, Predicate } from './expression.js';
import type { Key } from './key.js';
import type { LanguageContext } from './language-context.js';
import { fault, type SourceText } from './source-text.js';

/** The attributes that the guards of this package set. `role.*` stands for all keys below `role.`. */
export const KNOWN_ATTRIBUTES: readonly string[] = [
  ...['authenticated', 'subject.id', 'subject.type', 'subject.teams', 'role.*', 'perm.*', 'team.*', 'claim.*'],
  ...['security.labels', 'route.key', 'http.method', 'http.path', 'http.host', 'http.scheme'],
  ...['http.request_headers.*', 'http.response_headers.*', 'args.*', 'result.*'],
];

/** Attributes that every request has, so that `!=` on them needs no test for their presence. */
const ALWAYS_PRESENT: ReadonlySet<string> = new Set(['http.method', 'http.path', 'route.key']);

/** Names that documents use, but that CPEX never sets. */
const MISTAKEN: Readonly<Record<string, string>> = {
  'session.labels': 'Write security.labels.',
  'subject.tenant': 'Write claim.tenant.',
  'subject.department': 'Write claim.department.',
  'subject.roles': 'Write role.<name>, for example role.hr.',
};

/**
 * Checks which attributes a predicate reads, and that `!=` and `not in` cannot meet an absent one by accident.
 * @throws PolicyDocumentError
 */
export function checkAttributes({ expression, source }: Predicate, context: LanguageContext): void {
  for (const condition of conditionsOf(expression)) {
    for (const name of keysOf(condition).flatMap(namesOf)) checkName(source, condition.start, name, context);
    const found = context.strict ? pointless(condition, context) : undefined;
    if (found) throw fault(source, found.problem, found.fix, condition.start);
  }
  if (context.strict && context.absent === undefined) checkPresence(expression, source, new Set());
}

/** The attributes that a predicate reads. A key with a group is given as a pattern: `data.*`. */
export function attributesOf(expression: Expression): string[] {
  return conditionsOf(expression).flatMap(keysOf).flatMap(namesOf);
}

function conditionsOf(expression: Expression): Condition[] {
  switch (expression.kind) {
    case 'not':
      return conditionsOf(expression.inner);
    case 'and':
    case 'or':
      return expression.parts.flatMap(conditionsOf);
    default:
      return [expression];
  }
}

function keysOf(condition: Condition): Key[] {
  return condition.kind === 'in' ? [condition.key, condition.set] : [condition.key];
}

function namesOf({ text, groups }: Key): string[] {
  if (groups === undefined) return [text];
  return [`${groups[0]?.before ?? ''}.*`, ...groups.map(({ inner }) => inner)];
}

function checkName(source: SourceText, at: number, name: string, { strict, attributes }: LanguageContext): void {
  if (attributes === undefined || attributes.some((pattern) => fits(name, pattern))) return;
  if (Object.hasOwn(MISTAKEN, name)) {
    throw fault(source, `No request has the attribute ${name}`, MISTAKEN[name] ?? '', at);
  }
  const near = nearestName(
    name,
    attributes.filter((pattern) => !pattern.endsWith('*')),
  );
  const first = near === undefined ? '' : `Did you mean ${near}? `;
  const how = strict
    ? 'Declare an attribute of your own in the option attributes, and set it.'
    : 'Declare it in the option attributes.';
  throw fault(source, `Unknown attribute ${name}`, first + how, at);
}

/** @param present keys that are known to be present when the expression is evaluated */
function checkPresence(expression: Expression, source: SourceText, present: ReadonlySet<string>): void {
  switch (expression.kind) {
    case 'not':
      checkPresence(expression.inner, source, present);
      return;
    case 'and':
    case 'or': {
      const known = new Set(present);
      for (const part of expression.parts) {
        checkPresence(part, source, known);
        for (const key of presentAfter(part, expression.kind === 'and')) known.add(key);
      }
      return;
    }
    default:
      for (const key of needsPresence(expression)) {
        if (!present.has(key.text) && !ALWAYS_PRESENT.has(key.text)) throw mayBeAbsent(source, expression, key);
      }
  }
}

function needsPresence(condition: Condition): Key[] {
  if (condition.kind === 'in') return condition.negated ? [condition.key, condition.set] : [];
  return condition.kind === 'compare' && condition.operator === '!=' ? [condition.key] : [];
}

/** The keys that are present if `part` was true (`&`) or false (`|`). */
function presentAfter(part: Expression, wasTrue: boolean): string[] {
  switch (part.kind) {
    case 'not':
      return presentAfter(part.inner, !wasTrue);
    case 'and':
      return wasTrue ? part.parts.flatMap((inner) => presentAfter(inner, true)) : [];
    case 'or':
      return wasTrue ? [] : part.parts.flatMap((inner) => presentAfter(inner, false));
    case 'in':
      return wasTrue !== part.negated ? [part.key.text, part.set.text] : [];
    default:
      return wasTrue ? [part.key.text] : [];
  }
}

function mayBeAbsent(source: SourceText, condition: Condition, key: Key): Error {
  const isComparison = condition.kind === 'compare';
  return fault(
    source,
    `${key.text} may be absent, and then ${isComparison ? '!= is false' : 'not in is true'}`,
    `Write exists(${key.text}) & … or !exists(${key.text}) | … before it, or set the option absent: 'deny'.`,
    condition.start,
  );
}
