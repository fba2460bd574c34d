import type { SessionStore } from '../contract/session-store.js';
import { invalidConfig } from '../options/invalid-config.js';
import { kindOfValue } from '../options/kind-of-value.js';

/** The methods that a store may have. */
const OPTIONAL_METHODS = ['explain', 'ready', 'close', 'check', 'status', 'ping', 'onReconnect', 'onAlarm'] as const;

/**
 * Checks the optional members of a store, which are used much later than at construction.
 * @throws AplSessionError `config.invalid`
 */
export function assertStoreMembers(what: string, store: SessionStore): void {
  for (const name of OPTIONAL_METHODS) {
    const member: unknown = store[name];
    if (member === undefined || typeof member === 'function') continue;
    throw invalidConfig(
      what,
      `the member '${name}' of the store must be a function; got ${kindOfValue(member)}. Make it a method, or remove it`,
    );
  }
  const { provenance, ttlSeconds }: { readonly provenance?: unknown; readonly ttlSeconds?: unknown } = store;
  if (provenance !== undefined && typeof provenance !== 'boolean') {
    throw invalidConfig(what, `the store's provenance must be true or false; got ${kindOfValue(provenance)}`);
  }
  if (ttlSeconds === undefined || (typeof ttlSeconds === 'number' && ttlSeconds > 0)) return;
  throw invalidConfig(
    what,
    "the store's ttlSeconds must be a number above 0; leave it undefined if the store deletes no session",
  );
}
