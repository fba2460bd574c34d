import { PolicyDocumentError, type Position } from './policy-document-error.js';

/** Where a text comes from: a file or an option, and a value of the document. */
export interface Origin {
  /** The name of the file, for messages; `undefined` if the text has no file. */
  readonly file: string | undefined;
  /** The place in the document, for example `routes[0].result.ssn`; empty for a text on its own. */
  readonly path: string;
  /** The position of a character of the text; `undefined` for a document that was given as an object. */
  readonly at: (offset: number) => Position | undefined;
}

/** A part of a text that knows where it stands. */
export interface SourceText {
  readonly text: string;
  /** The offset of `text` in the text of the origin. */
  readonly start: number;
  readonly origin: Origin;
}

/** A text that is not part of a document. */
export function sourceText(text: string, file?: string): SourceText {
  return { text, start: 0, origin: { file, path: '', at: (offset) => positionIn(text, offset) } };
}

/** Line and column of an offset, both from 1. */
export function positionIn(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

/** A part of a source. */
export function slice(source: SourceText, from: number, to = source.text.length): SourceText {
  return { ...source, text: source.text.slice(from, to), start: source.start + from };
}

/** A part of a source without white space around it. */
export function trimmed(source: SourceText): SourceText {
  const { text } = source;
  let [from, to] = [0, text.length];
  while (from < to && isWhiteSpace(text.charCodeAt(from))) from++;
  while (to > from && isWhiteSpace(text.charCodeAt(to - 1))) to--;
  return from === 0 && to === text.length ? source : slice(source, from, to);
}

/** Removes the white space of Unicode. `String.trim()` differs: it removes U+FEFF, and leaves U+0085. */
export function trimWhiteSpace(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && isWhiteSpace(text.charCodeAt(from))) from++;
  while (to > from && isWhiteSpace(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isWhiteSpace(code: number): boolean {
  if (code <= 0x20) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  if (code < 0x1680) return code === 0x85 || code === 0xa0;
  if (code >= 0x2000 && code <= 0x200a) return true;
  return code === 0x1680 || code === 0x2028 || code === 0x2029 || code === 0x202f || code === 0x205f || code === 0x3000;
}

/**
 * The error for a text of the language.
 * @param problem what is wrong, as the start of a sentence
 * @param fix what to write instead, as a sentence
 * @param at the offset of the mistake in the text of the source
 */
export function fault(source: SourceText, problem: string, fix: string, at = 0): PolicyDocumentError {
  const { origin, start, text } = source;
  return new PolicyDocumentError({
    problem,
    fix,
    offending: text,
    file: origin.file,
    path: origin.path,
    position: origin.at(start + at),
  });
}
