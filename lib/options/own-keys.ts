import { AplSessionError } from '../contract/errors.js';

/**
 * Rejects options with an own key `__proto__` or `constructor` (JSON.parse makes them) and options that inherit keys (from a
 * parser that assigns `__proto__`). A copy would drop such keys without an error, and the option would not be checked.
 * @throws AplSessionError `config.invalid`
 */
export function assertOwnKeys(what: string, value: object): void {
  for (const key of ['__proto__', 'constructor']) {
    if (Object.hasOwn(value, key)) throw invalid(what, `a key '${key}'; remove it`);
  }
  // for...in also visits inherited keys
  for (const key in value) {
    if (!Object.hasOwn(value, key)) throw invalid(what, 'keys in its prototype; set them on the object itself');
  }
}

function invalid(what: string, fault: string): AplSessionError {
  return new AplSessionError('config.invalid', `${what} has ${fault}.`);
}
