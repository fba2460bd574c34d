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
    // the label may have expired since the store acknowledged it
    await session.addAgain(label, member, QUARANTINE).persist(member);
  } finally {
    session.leave(member);
  }
}
