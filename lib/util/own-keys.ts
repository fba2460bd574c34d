import { AplSessionError } from '../contract/errors.js';

/**
 * Throws for an object of a configuration that says something by its prototype: with a key `__proto__` or `constructor`, as
 * parsers of JSON make one, or with keys that it inherits, as parsers make them that assign `__proto__`. Copies would drop
 * both in silence, and an option that is dropped is none that was checked.
 * @throws AplSessionError `config.invalid`
 */
export function assertOwnKeys(what: string, value: object): void {
  for (const key of ['__proto__', 'constructor']) {
    if (Object.hasOwn(value, key)) throw refused(what, `a key '${key}'; take it away`);
  }
  // a loop that also meets what is inherited
  for (const key in value) {
    if (!Object.hasOwn(value, key)) throw refused(what, 'keys in its prototype; set them on the object itself');
  }
}

function refused(what: string, fault: string): AplSessionError {
  return new AplSessionError('config.invalid', `${what} has ${fault}.`);
}
