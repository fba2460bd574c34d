import { AplSessionError } from '../contract/errors.js';
import type { SessionStore } from '../contract/session-store.js';
import { assertLabel } from '../labels/label.js';
import { invalidConfig } from '../options/invalid-config.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { wallClock } from '../util/clock.js';
import { isSessionStore } from './session-store-registry.js';

/** The name of the guard in the origin of a label that was added from outside. */
export const QUARANTINE = 'quarantine';

/**
 * Adds a label to a session from outside, for example from a script of an operator. Every request that starts after this has
 * resolved meets the label, on every node. Labels are never removed, so this cannot be undone.
 *
 * In the app itself, call `quarantine()` of the middleware: requests in flight get the label as well.
 *
 * @param store the store of the app, or one with the same options
 * @param sessionId the id in `req.security.sessionId`. The function cannot know whether there is such a session
 * @throws AplSessionError `config.invalid` if `store` is not a store; `session.invalid`; `label.invalid`; the errors of the store
 *
 * @example
 * import { quarantine } from 'express-apl-session';
 *
 * await quarantine(store, '68755f41a98324d6', 'quarantined');
 */
export async function quarantine(store: SessionStore, sessionId: string, label: string): Promise<void> {
  if (!isSessionStore(store)) {
    throw invalidConfig('quarantine', `the first argument must be a store, not a block; got ${kindOfValue(store)}`);
  }
  assertTarget(sessionId, label);
  if (!store.provenance) await store.appendLabels(sessionId, [label]);
  else await store.appendLabels(sessionId, [label], new Map([[label, { atMs: wallClock(), by: QUARANTINE }]]));
}

/** @throws AplSessionError `session.invalid` or `label.invalid` */
export function assertTarget(sessionId: unknown, label: unknown): void {
  if (typeof sessionId !== 'string' || sessionId === '' || !sessionId.isWellFormed()) {
    throw new AplSessionError(
      'session.invalid',
      `quarantine: the session id must be a non-empty, well-formed string, the id in req.security.sessionId; got ${kindOfValue(sessionId)}.`,
    );
  }
  assertLabel(label);
}
