import { AplSessionError } from '../contract/errors.js';
import type { SessionStore, SessionStoreFactory } from '../contract/session-store.js';
import { invalidConfig } from '../options/invalid-config.js';
import { nearestName } from '../options/nearest-name.js';
import { assertOwnKeys } from '../options/own-keys.js';
import { memorySessionStoreFactory } from './memory-session-store.js';
import { storeMistake } from './store-mistakes.js';

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
  const mistake = storeMistake(block);
  if (mistake !== undefined) throw invalidConfig('store', mistake);
  assertOwnKeys('The store block', block as object);
  const kind = (block as { kind?: unknown }).kind;
  if (typeof kind !== 'string' || kind === '') throw kindMissing(block as object);
  const factory = factories.find((candidate) => candidate.kind === kind);
  if (factory) return build(factory, block as SessionStoreBlock);
  if (kind === memorySessionStoreFactory.kind) return build(memorySessionStoreFactory, block as SessionStoreBlock);
  throw kindUnknown(kind, factories);
}

function kindMissing(block: object): AplSessionError {
  const { loadLabels, appendLabels } = block as Partial<SessionStore>;
  const isHalfStore = typeof loadLabels === 'function' || typeof appendLabels === 'function';
  const misspelt = Object.keys(block).find((key) => nearestName(key, ['kind']) !== undefined);
  const reason = isHalfStore
    ? ' A SessionStore needs both methods, loadLabels and appendLabels.'
    : misspelt === undefined
      ? ''
      : ` Write 'kind' in place of '${misspelt}'.`;
  return new AplSessionError(
    'config.store_kind_missing',
    `The store block needs a kind, for example { kind: 'memory' } or { kind: 'valkey', endpoint }.${reason}`,
  );
}

function kindUnknown(kind: string, factories: readonly SessionStoreFactory[]): AplSessionError {
  const near = nearestName(kind, ['valkey', ...factories.map((factory) => factory.kind), 'memory']);
  const hint = kind === 'redis' ? "Redis has the kind 'valkey' as well. " : near ? `Did you mean '${near}'? ` : '';
  return new AplSessionError(
    'config.store_kind_unknown',
    `Store kind '${kind}' is unknown. ${kind === near ? '' : hint}Pass its factory in storeFactories; for 'valkey': import { valkeySessionStoreFactory } from 'express-apl-session/valkey', and storeFactories: [valkeySessionStoreFactory].`,
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
