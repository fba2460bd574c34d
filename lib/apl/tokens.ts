import { fault, type SourceText } from './source-text.js';

export type TokenKind = 'operator' | 'string' | 'number' | 'key' | 'keyword';

/** One word of a predicate. `start` and `end` are offsets in the text of its source. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

// Each pattern must run in linear time, because a document may come from another team.
const WHITE_SPACE = /[ \t\n\f\r]*/y;
const OPERATOR = /==|!=|>=|<=|[()&|!<>,]/y;
const STRING = /"[^"]*"|'[^']*'/y;
const NUMBER = /-?[0-9]*(?:\.[0-9]*)?/y;
const KEY = /[A-Za-z_][A-Za-z0-9_.]*(?:\[[^[\]]*\][A-Za-z0-9_.]*)*/y;

/** Words that are no keys, unless they have a group: `in[a]` is a key. */
const KEYWORDS: ReadonlySet<string> = new Set(['true', 'false', 'contains', 'require', 'exists', 'in']);

/** The longest predicate, in UTF-16 code units. */
const LONGEST = 10_000;

/** @throws PolicyDocumentError for a character that starts no word */
export function tokenize(source: SourceText): Token[] {
  const { text } = source;
  if (text.length > LONGEST) {
    throw fault(source, `The predicate is longer than ${LONGEST} characters`, 'Split it into several rules.');
  }
  const tokens: Token[] = [];
  let at = endOf(WHITE_SPACE, text, 0);
  while (at < text.length) {
    const token = tokenAt(source, at);
    const isInKey = token.text.startsWith('-') && tokens.at(-1)?.kind === 'key' && tokens.at(-1)?.end === at;
    if (isInKey) throw unexpected(source, at);
    tokens.push(token);
    at = endOf(WHITE_SPACE, text, token.end);
  }
  return tokens;
}

function tokenAt(source: SourceText, start: number): Token {
  const { text } = source;
  const first = text.charAt(start);
  const token = (kind: TokenKind, pattern: RegExp): Token | undefined => {
    const end = endOf(pattern, text, start);
    return end > start ? { kind, text: text.slice(start, end), start, end } : undefined;
  };
  if (first === '-' || (first >= '0' && first <= '9')) return token('number', NUMBER) as Token;
  const found = token('operator', OPERATOR) ?? token('string', STRING) ?? token('key', KEY);
  if (!found) throw unexpected(source, start);
  return found.kind === 'key' && KEYWORDS.has(found.text) ? { ...found, kind: 'keyword' } : found;
}

function endOf(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.test(text) ? pattern.lastIndex : start;
}

function unexpected(source: SourceText, at: number): Error {
  const character = String.fromCodePoint(source.text.codePointAt(at) ?? 0);
  const fixes: Readonly<Record<string, string>> = {
    '"': 'Close the string with the same quote. A string has no escapes.',
    "'": 'Close the string with the same quote. A string has no escapes.',
    '=': 'Write == to compare.',
    '[': 'Close the group with ]. A group cannot hold another group, and no key starts with one.',
    '-': 'A key has letters, digits, _ and dots only. Give the role, claim or field another name.',
    ':': 'A colon stands only between a predicate and its action, and a key cannot hold one.',
    '+': 'Write the number without +.',
  };
  const fix = fixes[character] ?? 'Keys have letters, digits, _ and dots; strings need quotes.';
  return fault(source, `Unexpected character ${JSON.stringify(character)} in the predicate`, fix, at);
}
