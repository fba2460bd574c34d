import { AplSessionError } from '../contract/errors.js';
import { ENROLLED } from './enrolment.js';

/** The longest label, in bytes of UTF-8. */
export const MAX_LABEL_BYTES = 256;

/** C0, DEL and C1 control characters, and U+FFFD, which replaces bytes of a reply that are not valid UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern finds control characters
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\ufffd]/;

/**
 * Throws unless `value` can be a label: a non-empty, well-formed string of at most 256 UTF-8 bytes without control
 * characters or U+FFFD. The message never repeats the value.
 * @throws AplSessionError `label.invalid`
 */
export function assertLabel(value: unknown): asserts value is string {
  const fault = value === ENROLLED ? 'the mark of enrolled sessions' : faultOf(value);
  if (fault !== undefined) {
    throw new AplSessionError(
      'label.invalid',
      `A label must be a non-empty string of at most ${MAX_LABEL_BYTES} UTF-8 bytes without control characters or U+FFFD; got ${fault}.`,
    );
  }
}

/** Whether `value` can be a label. Stores check their replies with this. */
export function isLabel(value: unknown): value is string {
  return faultOf(value) === undefined;
}

function faultOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return value === null ? 'null' : `a value of type ${typeof value}`;
  if (value === '') return 'an empty string';
  // a UTF-16 code unit has at most 3 bytes in UTF-8, so most labels need not be counted
  if (value.length > MAX_LABEL_BYTES / 3 && Buffer.byteLength(value) > MAX_LABEL_BYTES)
    return `${Buffer.byteLength(value)} bytes`;
  if (isPrintableAscii(value)) return undefined;
  if (FORBIDDEN.test(value)) return 'a string with a control character or U+FFFD';
  if (!value.isWellFormed()) return 'a string with a lone surrogate';
  return undefined;
}

/** Most labels are. This loop is faster than a regular expression, and runs for each label of each load. */
function isPrintableAscii(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}
