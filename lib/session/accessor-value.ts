import { AplSessionError } from '../contract/errors.js';

/** A text that an accessor has read; `undefined`, `null` and `''` are none. */
export type Text = string | null | undefined;

/**
 * Checks what an accessor has read.
 * @throws AplSessionError `session.invalid` for anything else than a well-formed string or nothing
 */
export function textOrNone(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  // lone surrogates all hash like U+FFFD, so two such values would address one session
  if (typeof value === 'string' && value.isWellFormed()) return value;
  throw malformed(`${name} must be a well-formed string or nothing`);
}

/**
 * The text of a claim as CPEX sees it: strings as they are, other JSON values as JSON without spaces and with sorted
 * keys, so `42` is `42` and `null` is `null`. A claim that is missing or an empty string is none.
 * @throws AplSessionError `session.invalid` for what is no JSON, and for numbers that lose digits when JSON is parsed
 */
export function claimTextOrNone(value: unknown): string | undefined {
  return value === undefined || typeof value === 'string' ? textOrNone('claim', value) : jsonOf(value);
}

function jsonOf(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER) return JSON.stringify(value);
  if (typeof value === 'string' && value.isWellFormed()) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${Array.from(value, jsonOf).join(',')}]`;
  if (isPlainObject(value)) {
    const members = Object.keys(value)
      .sort()
      .map((key) => `${jsonOf(key)}:${jsonOf(value[key])}`);
    return `{${members.join(',')}}`;
  }
  throw malformed('claim must be a JSON value, and its numbers within the safe integers');
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** An error about a value that the app or its authentication has put on the request; never repeats the value. */
export function malformed(what: string): AplSessionError {
  return new AplSessionError('session.invalid', `subjectSession: ${what}.`);
}
