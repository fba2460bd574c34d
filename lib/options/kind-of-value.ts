import { isPromiseLike } from '../util/maybe-promise.js';

/** The type of a value in words, for messages: `a string`, `an array`, `a promise`. It shows nothing of the value. */
export function kindOfValue(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (isPromiseLike(value)) return 'a promise';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
