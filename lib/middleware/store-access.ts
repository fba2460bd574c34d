import type { AlarmListener } from '../contract/alarms.js';
import { withDeadline } from '../contract/deadline.js';
import { AplSessionError } from '../contract/errors.js';
import type { SessionStore } from '../contract/session-store.js';

/** What one middleware needs for talking to its store. */
export interface StoreAccess {
  readonly store: SessionStore;
  readonly storeTimeoutMs: number;
  readonly raise: AlarmListener;
  /** Appends under way, for `close()`. */
  readonly appending: Set<Promise<void>>;
}

/**
 * Loads the labels of a session. Rejects if the store does, throws, misses the deadline or answers with something that
 * is not an iterable of strings.
 */
export async function loadLabels({ store, storeTimeoutMs }: StoreAccess, sessionId: string): Promise<string[]> {
  const reply: unknown = await withDeadline(
    () => store.loadLabels(sessionId),
    storeTimeoutMs,
    () => timeout('load', storeTimeoutMs),
  );
  // a string is an iterable of strings, but not of labels
  if (typeof reply !== 'object' || reply === null || !(Symbol.iterator in reply)) throw malformed();
  const labels = [...(reply as Iterable<unknown>)];
  if (!labels.every((label) => typeof label === 'string')) throw malformed();
  return labels;
}

/** Appends labels to a session. Rejects if the store does, throws or misses the deadline. */
export function appendLabels(access: StoreAccess, sessionId: string, labels: readonly string[]): Promise<void> {
  const { store, storeTimeoutMs, appending } = access;
  const append = withDeadline(
    () => store.appendLabels(sessionId, labels),
    storeTimeoutMs,
    () => timeout('append', storeTimeoutMs),
  );
  const settled = append.then(
    () => {},
    () => {},
  );
  appending.add(settled);
  void settled.then(() => appending.delete(settled));
  return append;
}

/** The code of a store's own error, for alarms. */
export function codeOf(error: unknown): { code: string } | undefined {
  return error instanceof AplSessionError ? { code: error.code } : undefined;
}

function timeout(operation: string, ms: number): AplSessionError {
  return new AplSessionError('store.timeout', `The session store did not settle the ${operation} within ${ms} ms.`);
}

function malformed(): AplSessionError {
  return new AplSessionError(
    'store.malformed_reply',
    'The session store answered the load with no iterable of strings.',
  );
}
