import { optionalPackage } from './optional-package.js';
import { fault, type SourceText } from './source-text.js';

/** Whether a text matches; `undefined` if this engine cannot tell, because a boundary is next to text that is not ASCII. */
export type Matcher = (text: string) => boolean | undefined;

/** The meaning of `\d`, `\w` and `\s` in Rust, outside and inside of a class. RE2 reads them as ASCII. */
const UNICODE_CLASSES: Readonly<Record<string, readonly [outside: string, inside: string]>> = {
  d: ['\\p{Nd}', '\\p{Nd}'],
  D: ['\\P{Nd}', '\\P{Nd}'],
  w: ['[\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200c}\\x{200d}]', '\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200c}\\x{200d}'],
  W: ['[^\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200c}\\x{200d}]', ''],
  s: ['[\\t-\\r\\x{85}\\p{Z}]', '\\t-\\r\\x{85}\\p{Z}'],
  S: ['[^\\t-\\r\\x{85}\\p{Z}]', ''],
};

/** Escapes that mean the same in Rust and in RE2. Two of them are boundaries of ASCII words in RE2. */
const SAME_ESCAPES = /^[pPxabBAzfnrtv]$/;
const REPETITION = /^\{[0-9]+(?:,[0-9]*)?\}/;
const NON_ASCII = /[^\0-\x7f]/;

/**
 * Compiles a pattern in the syntax of Rust's `regex`, which CPEX uses, for an engine of linear time.
 * @throws PolicyDocumentError for a pattern that is invalid, or that the two engines read differently
 */
export function compileRegularExpression(source: SourceText, pattern: string): Matcher {
  const { re2, hasBoundary } = translated(source, pattern);
  const { RE2JS } = optionalPackage<typeof import('re2js')>('re2js', 'regex(…)', source);
  try {
    const compiled = RE2JS.compile(re2);
    return (text) => (hasBoundary && NON_ASCII.test(text) ? undefined : compiled.matcher(text).find());
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown error';
    throw fault(source, `The regular expression is invalid (${reason})`, 'Use the syntax of RE2, without look-around.');
  }
}

function translated(source: SourceText, pattern: string): { re2: string; hasBoundary: boolean } {
  const wrong = (what: string, fix: string) => fault(source, `The regular expression has ${what}`, fix);
  let [re2, inClass, hasBoundary] = ['', false, false];
  for (let at = 0; at < pattern.length; ) {
    const rest = pattern.slice(at, at + 40);
    const [first = '', second = ''] = rest;
    let taken = 1;
    let written = first;
    if (first === '\\') {
      const classes = UNICODE_CLASSES[second];
      taken = 2;
      written = classes?.[inClass ? 1 : 0] ?? first + second;
      if (written === '') throw wrong(`\\${second} in a class`, 'Write a negated class instead.');
      const isSame = SAME_ESCAPES.test(second) || /^[!-/:;=?@[-`{-~]$/.test(second);
      if (!classes && !isSame)
        throw wrong(`the escape \\${second}`, 'Rust and RE2 do not read it alike; leave it out.');
      hasBoundary ||= !inClass && (second === 'b' || second === 'B');
      if (inClass && second === 'b') throw wrong('\\b in a class', 'Leave it out.');
      const braces = /^\\[pPx]\{[^{}]*\}/.exec(rest);
      if (braces) [taken, written] = [braces[0].length, braces[0]];
    } else if (inClass) {
      if (/^(?:&&|--|~~)/.test(rest)) throw wrong('an operation on classes', 'Write the characters of the class.');
      const posix = /^\[:\^?[a-z]+:\]/.exec(rest);
      if (posix) [taken, written] = [posix[0].length, posix[0]];
      else if (first === '[') throw wrong('a class inside a class', 'Write \\[ for the character.');
      else if (first === ']') inClass = false;
    } else if (first === '[') {
      const opening = /^\[\^?\]?/.exec(rest)?.[0] ?? first;
      [taken, written, inClass] = [opening.length, opening, true];
    } else if (first === '{') {
      const repetition = REPETITION.exec(rest)?.[0];
      if (repetition === undefined) throw wrong('a { that starts no repetition', 'Write \\{ for the character.');
      [taken, written] = [repetition.length, repetition];
    } else if (/^\(\?[a-zA-Z-]*[uxRa]/.test(rest) && !/^\(\?P?</.test(rest)) {
      throw wrong('the flag u, x, R or a', 'Leave it out.');
    }
    re2 += written;
    at += taken;
  }
  return { re2, hasBoundary };
}
