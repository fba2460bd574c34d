import { AplSessionError } from '../contract/errors.js';
import type { SessionStore, SessionStoreFactory } from '../contract/session-store.js';
import { invalidConfig } from '../util/invalid-config.js';
import { assertOwnKeys } from '../util/own-keys.js';
import { memorySessionStoreFactory } from './memory-session-store.js';

/**
 * Configuration of a store. `kind` selects the factory; the other members are its options.
 *
 * @example
 * const store: SessionStoreBlock = { kind: 'memory', maxSessions: 10_000 };
 */
export interface SessionStoreBlock {
  readonly kind: string;
  readonly [option: string]: unknown;
}

/** Whether `value` has the two operations of a store. */
export function isSessionStore(value: unknown): value is SessionStore {
  const store = value as Partial<SessionStore> | null | undefined;
  return typeof store?.loadLabels === 'function' && typeof store.appendLabels === 'function';
}

/**
 * Builds the store that a block describes.
 * @throws AplSessionError `config.invalid`, `config.store_kind_missing`, `config.store_kind_unknown`,
 * or `config.store_build_failed` with the factory's error as `cause`. An `AplSessionError` of the factory passes
 * through.
 */
export function buildSessionStore(block: unknown, factories: readonly SessionStoreFactory[]): SessionStore {
  if (typeof block !== 'object' || block === null || Array.isArray(block)) {
    throw invalidConfig('store', "give a SessionStore, or a block with a kind, for example { kind: 'memory' }");
  }
  assertOwnKeys('The store block', block);
  const kind = (block as { kind?: unknown }).kind;
  if (typeof kind !== 'string' || kind === '') {
    throw new AplSessionError(
      'config.store_kind_missing',
      "The store block needs a kind, for example { kind: 'memory' } or { kind: 'valkey', endpoint }.",
    );
  }
  const factory = factories.find((candidate) => candidate.kind === kind);
  if (factory) return build(factory, block as SessionStoreBlock);
  if (kind === memorySessionStoreFactory.kind) return build(memorySessionStoreFactory, block as SessionStoreBlock);
  throw new AplSessionError(
    'config.store_kind_unknown',
    `Store kind '${kind}' is unknown. Pass its factory in storeFactories; for 'valkey' that is valkeySessionStoreFactory from 'express-apl-session/valkey'.`,
  );
}

function build(factory: SessionStoreFactory, block: SessionStoreBlock): SessionStore {
  let store: unknown;
  try {
    store = factory.build(Object.freeze({ ...block }));
  } catch (cause) {
    if (cause instanceof AplSessionError) throw cause;
    throw new AplSessionError(
      'config.store_build_failed',
      `The factory for store kind '${factory.kind}' failed; see the cause.`,
      { cause },
    );
  }
  if (isSessionStore(store)) return store;
  throw new AplSessionError(
    'config.store_build_failed',
    `The factory for store kind '${factory.kind}' must return a SessionStore, with loadLabels and appendLabels.`,
  );
}
