import { AplSessionError } from '../contract/errors.js';
import { BackgroundMember } from '../known-sessions/background-member.js';
import type { StoreAccess } from '../known-sessions/store-access.js';
import { assertTarget, QUARANTINE } from '../stores/quarantine.js';

/** Stands for the route in alarms and origins. */
const NAME = 'aplSessionMiddleware.quarantine()';

/**
 * Adds a label to a session, to all its requests in this process, and to the store.
 * @throws AplSessionError `session.invalid`, `label.invalid`, `session.capacity_exceeded`, `session.persist_failed`
 */
export async function quarantineSession(access: StoreAccess, sessionId: string, label: string): Promise<void> {
  assertTarget(sessionId, label);
  const member = new BackgroundMember(access, NAME, { id: sessionId, labels: () => [label] });
  const session = access.join(sessionId, member);
  try {
    const isKnown = new Set(session.labels()).has(label);
    session.add(label, member, QUARANTINE);
    // what the process takes for stored may have expired since the last request of the session
    await (isKnown ? appendAgain(access, member, sessionId, label) : session.persist(member));
  } finally {
    session.leave(member);
  }
}

async function appendAgain(
  access: StoreAccess,
  member: BackgroundMember,
  sessionId: string,
  label: string,
): Promise<void> {
  try {
    await access.appendNow(sessionId, label, member.originOf(QUARANTINE));
  } catch (cause) {
    member.onAppendFailed(cause);
    throw new AplSessionError('session.persist_failed', 'The label of quarantine() could not be persisted.', { cause });
  }
}
