import type { Key } from './key.js';
import { toNumber } from './numbers.js';
import { type SourceText, trimmed } from './source-text.js';
import { type TokenReader, tokenReader } from './token-reader.js';

export type Comparison = '==' | '!=' | '>' | '>=' | '<' | '<=' | 'contains';
export type Literal = string | boolean | NumberLiteral;

/** `exact` is set for an integer that a JavaScript number cannot hold. */
export interface NumberLiteral {
  readonly number: number;
  readonly exact: bigint | undefined;
}

interface Span {
  /** Offsets in the text of the predicate. */
  readonly start: number;
  readonly end: number;
}

export type Condition = Span &
  (
    | { readonly kind: 'key'; readonly key: Key }
    | { readonly kind: 'exists'; readonly key: Key }
    | {
        readonly kind: 'compare';
        readonly key: Key;
        readonly operator: Comparison;
        readonly literal: Literal;
        readonly order: number | undefined;
      }
    | { readonly kind: 'in'; readonly key: Key; readonly set: Key; readonly negated: boolean }
  );

export type Expression =
  | Condition
  | { readonly kind: 'not'; readonly inner: Expression }
  | { readonly kind: 'and'; readonly parts: readonly Expression[] }
  | { readonly kind: 'or'; readonly parts: readonly Expression[] };

/** A parsed predicate, with its text for messages. */
export interface Predicate {
  readonly expression: Expression;
  readonly source: SourceText;
}

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '>', '>=', '<', '<=', 'contains']);
/** Each level takes stack. */
const DEEPEST = 500;
const LARGEST_INTEGER = 2n ** 63n - 1n;

/** @throws PolicyDocumentError */
export function parsePredicate(untrimmed: SourceText): Predicate {
  const source = trimmed(untrimmed);
  const reader = tokenReader(source);
  if (reader.peek() === undefined) throw reader.wrong('The predicate is empty', 'Write a condition, such as a key.');
  const expression = parseOr(reader, 0);
  if (reader.peek() !== undefined) throw reader.unexpected('Join conditions with & or |, one character each.');
  return { expression, source };
}

function parseOr(reader: TokenReader, depth: number): Expression {
  const parts = [parseAnd(reader, depth)];
  while (reader.accept('|')) parts.push(parseAnd(reader, depth));
  return parts.length === 1 ? (parts[0] as Expression) : { kind: 'or', parts };
}

function parseAnd(reader: TokenReader, depth: number): Expression {
  const parts = [parseUnary(reader, depth)];
  while (reader.accept('&')) parts.push(parseUnary(reader, depth));
  return parts.length === 1 ? (parts[0] as Expression) : { kind: 'and', parts };
}

function parseUnary(reader: TokenReader, depth: number): Expression {
  let negated = false;
  while (reader.accept('!')) negated = !negated;
  const inner = parseAtom(reader, depth);
  return negated ? { kind: 'not', inner } : inner;
}

function parseAtom(reader: TokenReader, depth: number): Expression {
  if (reader.accept('(')) {
    if (depth >= DEEPEST) throw reader.wrong(`More than ${DEEPEST} parentheses are nested`, 'Split the predicate.');
    const inner = parseOr(reader, depth + 1);
    reader.expect(')', 'Close the parenthesis with ).');
    return inner;
  }
  const exists = reader.accept('exists');
  if (exists) {
    reader.expect('(', 'Write exists(key).');
    const { key } = reader.key('exists() takes the key of an attribute.');
    const { end } = reader.expect(')', 'Write exists(key).');
    return { kind: 'exists', key, start: exists.start, end };
  }
  if (reader.peek()?.text === 'require' && reader.peek()?.kind === 'keyword') {
    throw reader.unexpected('require() is a rule of its own. Inside a predicate write the key, or !key.');
  }
  return parseCondition(reader);
}

function parseCondition(reader: TokenReader): Condition {
  const { key, token } = reader.key('A condition starts with a key, exists(, ! or a parenthesis.');
  const { start } = token;
  const negated = reader.peek()?.text === 'not' && reader.peek(1)?.text === 'in' && reader.peek(1)?.kind === 'keyword';
  if (negated) reader.next();
  if (reader.accept('in')) {
    const set = reader.key('`in` compares two keys: value in set. For a text write set contains "text".');
    return { kind: 'in', key, set: set.key, negated, start, end: set.token.end };
  }
  const operator = reader.peek();
  if (!operator || operator.kind === 'string' || !COMPARISONS.has(operator.text)) {
    return { kind: 'key', key, start, end: token.end };
  }
  reader.next();
  const value = reader.peek();
  const literal = parseLiteral(reader);
  const order =
    typeof literal === 'boolean' ? undefined : typeof literal === 'string' ? toNumber(literal) : literal.number;
  return {
    kind: 'compare',
    key,
    operator: operator.text as Comparison,
    literal,
    order,
    start,
    end: value?.end ?? start,
  };
}

function parseLiteral(reader: TokenReader): Literal {
  const token = reader.peek();
  const fix = 'The right side is a string in quotes, a number, true or false. To compare two keys write: value in set.';
  if (token?.kind === 'string') {
    reader.next();
    return token.text.slice(1, -1);
  }
  if (reader.accept('true')) return true;
  if (reader.accept('false')) return false;
  if (token?.kind !== 'number') throw reader.unexpected(fix);
  if (!/[0-9]/.test(token.text)) throw reader.unexpected('Write a number with digits.');
  const number = Number(token.text);
  const isInteger = !token.text.includes('.');
  const exact = isInteger && !Number.isSafeInteger(number) ? BigInt(token.text) : undefined;
  if (exact !== undefined && (exact > LARGEST_INTEGER || exact < -LARGEST_INTEGER - 1n)) {
    throw reader.wrong('The integer does not fit in 64 bits', 'Write a smaller number, or one with a decimal point.');
  }
  reader.next();
  return { number, exact };
}
