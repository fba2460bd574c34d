import { AplSessionError } from '../contract/errors.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { isPlainObject } from '../options/plain-object.js';

/** What an accessor returns. `undefined`, `null` and `''` mean that the request has no such value. */
export type Text = string | null | undefined;

/**
 * Checks what an accessor returned. Empty values become `undefined`.
 * @throws AplSessionError `session.invalid` unless the value is empty or a well-formed string
 */
export function optionalText(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  // all lone surrogates hash like U+FFFD, so two different values would get one session
  if (typeof value === 'string' && value.isWellFormed()) return value;
  throw malformed(`${name} must be a well-formed string, undefined or null; got ${kindOfValue(value)}${fixFor(value)}`);
}

function fixFor(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return ', so convert it: String(id)';
  return typeof value === 'string' ? ' with a lone surrogate' : '';
}

/**
 * The text that CPEX makes of a claim: a string stays as it is, any other JSON value becomes JSON without spaces and with
 * sorted keys (`42`, `null`). A missing claim and `''` become `undefined`.
 * @throws AplSessionError `session.invalid` for values that JSON cannot hold, and for numbers that JSON would round
 */
export function optionalClaimText(value: unknown): string | undefined {
  return value === undefined || typeof value === 'string' ? optionalText('claim', value) : jsonOf(value);
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
  throw malformed('claim must be a JSON value whose numbers are within the safe integers');
}

/** The error for a value that the app or its authentication has put on the request. `what` must not repeat the value. */
export function malformed(what: string, options?: ErrorOptions): AplSessionError {
  return new AplSessionError('session.invalid', `subjectSession: ${what}.`, options);
}
