import { invalidConfig } from '../../../options/invalid-config.js';

const PREFIX = 'why:v1:';

/**
 * The key of the hash with the records of a session: `why:v1:{<key>}`. In a cluster it has the slot of `key`. If `key` has a hash
 * tag of its own, that tag stays the first one: `why:v1:<key>`.
 */
export function companionKey(key: string): string {
  return hasHashTag(key) ? `${PREFIX}${key}` : `${PREFIX}{${key}}`;
}

/**
 * Refuses a prefix with which no companion key would have the slot of its key.
 * @throws AplSessionError `config.invalid`
 */
export function assertCompanionPrefix(keyPrefix: string): void {
  if (hasHashTag(keyPrefix) || !keyPrefix.includes('}')) return;
  throw invalidConfig(
    'ValkeySessionStore',
    "'provenance' keeps its records in the slot of the session, and 'keyPrefix' has a '}' that does not end a hash tag; use a prefix without braces, or with one tag such as {app}",
  );
}

/** The rule of Valkey: the text between the first `{` and the next `}`, if it is not empty. */
function hasHashTag(key: string): boolean {
  const open = key.indexOf('{');
  return open >= 0 && key.indexOf('}', open + 1) > open + 1;
}
