/** The longest text in a record, in characters. */
export const MAX_TEXT = 200;

/** Control characters, which could change what a terminal shows, and separators that begin a line. */
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/** Most texts: nothing to remove. */
const PLAIN = /^[ -~]{1,200}$/;

/** A text that an operator may see: one line, well-formed, not too long. Returns `undefined` for other values. */
export function boundedText(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (PLAIN.test(value)) return value;
  // cut first: a client may have chosen the text and its length
  const text = value.slice(0, MAX_TEXT).replace(UNSHOWN, ' ').toWellFormed();
  return text === '' ? undefined : text;
}
