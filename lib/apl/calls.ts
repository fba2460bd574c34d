import { fault, type SourceText, slice, trimmed } from './source-text.js';

/**
 * The parts of a source between delimiters that are outside quotes, parentheses and brackets, as CPEX splits them. Quotes have
 * no escapes here.
 */
export function splitOutside(source: SourceText, delimiter: string): SourceText[] {
  const { text } = source;
  const parts: SourceText[] = [];
  let from = 0;
  for (const at of outside(text, '([', ')]')) {
    if (text[at] !== delimiter) continue;
    parts.push(slice(source, from, at));
    from = at + 1;
  }
  parts.push(slice(source, from));
  return parts;
}

/** The offset of the last colon outside quotes and parentheses, or -1. It separates a predicate from its action. */
export function lastColon(text: string): number {
  let last = -1;
  for (const at of outside(text, '(', ')')) if (text[at] === ':') last = at;
  return last;
}

/** The offsets of the characters outside quotes and brackets, brackets and quotes excluded. */
function* outside(text: string, opening: string, closing: string): Generator<number> {
  let depth = 0;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (opening.includes(character)) depth++;
    else if (closing.includes(character)) depth--;
    else if (depth === 0) yield at;
  }
}

/**
 * The text between the parentheses of a call such as `taint(secret)`. The closing parenthesis is the matching one, and
 * parentheses inside quotes count as well. Nothing may follow it.
 * @throws PolicyDocumentError
 */
export function callArguments(source: SourceText, name: string): SourceText {
  const { text } = source;
  const close = matching(text, name.length);
  if (close < 0) {
    throw fault(
      source,
      `The parenthesis of ${name}( is not closed`,
      'Close it. Parentheses inside quotes count as well.',
    );
  }
  const rest = trimmed(slice(source, close + 1));
  if (rest.text !== '') {
    const fix = 'Nothing may follow the closing parenthesis. Parentheses inside quotes count as well.';
    throw fault(source, `Unexpected text after ${name}(…)`, fix, close + 1);
  }
  return slice(source, name.length + 1, close);
}

/** The offset of the parenthesis that closes the one at `open`, or -1. */
export function matching(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === '(') depth++;
    else if (text[at] === ')' && --depth === 0) return at;
  }
  return -1;
}

/** The text of a string in quotes; `undefined` for other text. */
export function unquoted(text: string): string | undefined {
  const first = text[0];
  const isQuoted = text.length >= 2 && (first === '"' || first === "'") && text.endsWith(first);
  return isQuoted ? text.slice(1, -1) : undefined;
}

/**
 * The arguments of `deny(…)`. A backslash protects the next character inside quotes, as in CPEX, and stays in the text.
 * `undefined` if a quote or a bracket is not closed.
 */
export function quotedArguments(source: SourceText): SourceText[] | undefined {
  const { text } = source;
  const parts: SourceText[] = [];
  let [from, depth, quote] = [0, 0, ''];
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote !== '') {
      if (character === '\\') at++;
      else if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if ('[({'.includes(character)) depth++;
    else if ('])}'.includes(character)) {
      if (--depth < 0) return undefined;
    } else if (character === ',' && depth === 0) {
      parts.push(slice(source, from, at));
      from = at + 1;
    }
  }
  return quote === '' && depth === 0 ? [...parts, slice(source, from)] : undefined;
}
