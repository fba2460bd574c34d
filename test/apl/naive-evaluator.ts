import fc from 'fast-check';

/**
 * A second evaluator, written from the table of semantics and not from `lib/apl/`: a predicate is a tree that can both be
 * printed and be evaluated, by rules that are spelt out one by one.
 */
export type Tree =
  | { readonly is: 'key' | 'exists'; readonly key: string }
  | {
      readonly is: 'compare';
      readonly key: string;
      readonly operator: string;
      readonly literal: string | number | boolean;
    }
  | { readonly is: 'in'; readonly key: string; readonly set: string; readonly not: boolean }
  | { readonly is: 'not'; readonly inner: Tree }
  | { readonly is: 'and' | 'or'; readonly left: Tree; readonly right: Tree };

export type Bag = Readonly<Record<string, boolean | number | string | readonly string[]>>;

export const KEYS = ['a', 'b', 'role.x', '_c', 'd..e', 'f.1'];

const leaf: fc.Arbitrary<Tree> = fc.oneof(
  fc.record({ is: fc.constantFrom('key' as const, 'exists' as const), key: fc.constantFrom(...KEYS) }),
  fc.record({
    is: fc.constant('compare' as const),
    key: fc.constantFrom(...KEYS),
    operator: fc.constantFrom('==', '!=', '<', '<=', '>', '>=', 'contains'),
    literal: fc.oneof(
      fc.boolean(),
      fc.integer({ min: -5, max: 5 }),
      fc.constantFrom(0.5, -1.5, 2.25),
      fc.constantFrom('x', 'y', '', '2', ' 1.5 ', 'inf', '1e1', '0x1', 'a & b', "it's"),
    ),
  }),
  fc.record({
    is: fc.constant('in' as const),
    key: fc.constantFrom(...KEYS),
    set: fc.constantFrom(...KEYS),
    not: fc.boolean(),
  }),
);

export const trees: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.record({ is: fc.constant('not' as const), inner: tie('tree') }),
    fc.record({ is: fc.constantFrom('and' as const, 'or' as const), left: tie('tree'), right: tie('tree') }),
  ),
})).tree;

export const bags: fc.Arbitrary<Bag> = fc.dictionary(
  fc.constantFrom(...KEYS),
  fc.oneof(
    fc.boolean(),
    fc.integer({ min: -5, max: 5 }),
    fc.constantFrom(0.5, -1.5, 2.25),
    fc.constantFrom('x', 'y', '', '2', ' 1.5 ', 'inf', '-Infinity', '1e1', '0x1', 'NaN', 'a & b', "it's"),
    fc.array(fc.constantFrom('x', 'y', '', '2'), { maxLength: 3 }),
  ),
);

const LEVEL = { or: 0, and: 1, not: 2 } as const;

/** The text of a tree, with parentheses only where the precedence needs them. */
export function print(tree: Tree, least = 0): string {
  const enclosed = (level: number, text: string) => (level < least ? `(${text})` : text);
  switch (tree.is) {
    case 'key':
      return tree.key;
    case 'exists':
      return `exists(${tree.key})`;
    case 'in':
      return `${tree.key} ${tree.not ? 'not in' : 'in'} ${tree.set}`;
    case 'compare':
      return `${tree.key} ${tree.operator} ${printLiteral(tree.literal)}`;
    case 'not':
      return enclosed(LEVEL.not, `!${print(tree.inner, LEVEL.not)}`);
    case 'and':
      return enclosed(LEVEL.and, `${print(tree.left, LEVEL.and)} & ${print(tree.right, LEVEL.not)}`);
    case 'or':
      return enclosed(LEVEL.or, `${print(tree.left, LEVEL.or)}|${print(tree.right, LEVEL.and)}`);
  }
}

function printLiteral(literal: string | number | boolean): string {
  if (typeof literal !== 'string') return String(literal);
  return literal.includes("'") ? `"${literal}"` : `'${literal}'`;
}

export function evaluateNaively(tree: Tree, bag: Bag): boolean {
  switch (tree.is) {
    case 'not':
      return !evaluateNaively(tree.inner, bag);
    case 'and':
      return evaluateNaively(tree.left, bag) && evaluateNaively(tree.right, bag);
    case 'or':
      return evaluateNaively(tree.left, bag) || evaluateNaively(tree.right, bag);
    case 'key':
      return bag[tree.key] === true;
    case 'exists':
      return tree.key in bag;
    case 'in': {
      const [value, set] = [bag[tree.key], bag[tree.set]];
      const isMember = typeof value === 'string' && Array.isArray(set) && set.some((member) => member === value);
      return tree.not ? !isMember : isMember;
    }
    case 'compare':
      return tree.key in bag && compareNaively(bag[tree.key] as Bag[string], tree.operator, tree.literal);
  }
}

function compareNaively(value: Bag[string], operator: string, literal: string | number | boolean): boolean {
  const isEqual = typeof value === typeof literal && !Array.isArray(value) && value === literal;
  if (operator === '==') return isEqual;
  if (operator === '!=') return !isEqual;
  if (operator === 'contains') return Array.isArray(value) && typeof literal === 'string' && value.includes(literal);
  const [left, right] = [naiveNumber(value), naiveNumber(literal)];
  if (Number.isNaN(left) || Number.isNaN(right)) return false;
  if (operator === '<') return left < right;
  if (operator === '<=') return left <= right;
  return operator === '>' ? left > right : left >= right;
}

/** Only the texts that the arbitraries above make. */
function naiveNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  const numbers: Readonly<Record<string, number>> = {
    '2': 2,
    ' 1.5 ': 1.5,
    '1e1': 10,
    inf: Infinity,
    '-Infinity': -Infinity,
  };
  return typeof value === 'string' ? (numbers[value] ?? Number.NaN) : Number.NaN;
}
