import type { Fault } from './gate-faults.js';

const session = 'lib/known-sessions/known-session.ts';
const sessions = 'lib/known-sessions/known-sessions.ts';
const appends = 'lib/known-sessions/label-appends.ts';
const acknowledged = 'lib/known-sessions/added-labels.ts';
const access = 'lib/known-sessions/store-access.ts';
const request = 'lib/middleware/session-request.ts';

/** What the tests of the sessions that a process knows must notice, each on its own. */
export const SESSION_FAULTS: readonly Fault[] = [
  {
    name: 'a label that other requests of the session do not receive',
    file: session,
    from: 'if (member !== from) member.onLabel(label);',
    to: 'if (!member) throw from;',
  },
  {
    name: 'responses of other requests that are not held',
    file: request,
    from: 'this.inContext(() => this.#kept.closeForSession());',
    to: '',
  },
  {
    name: 'a request that begins during an append and is not held',
    file: request,
    from: 'if (this.#session?.unacknowledged) this.#kept.closeForSession();',
    to: '',
  },
  {
    name: 'responses that are released in the context of another request',
    file: request,
    from: 'if (this.#context) this.#context.runInAsyncScope(callback);',
    to: 'if (this.#context) callback();',
  },
  {
    name: 'a label that is forgotten when its append fails',
    file: appends,
    from: 'this.#owed = this.#trying ?? NO_LABELS;',
    to: 'this.#owed = NO_LABELS;',
  },
  {
    name: 'a session that is forgotten although an append has failed',
    file: session,
    from: 'if (this.#members.length === 0 && !this.unacknowledged) this.#owner.retire(this);',
    to: 'if (this.#members.length === 0) this.#owner.retire(this);',
  },
  {
    name: 'a load that does not wait for the append of owed labels',
    file: access,
    from: 'if (lost > 0 || this.#owed)',
    to: 'if (lost > 0)',
  },
  {
    name: 'a label that the store has lost and nothing appends again',
    file: access,
    from: 'const lost = this.#session.onLoaded(this.#member, this.#knownAtStart, labels);',
    to: 'const lost = 0;',
  },
  {
    name: 'a load that began before an acknowledgement and counts as a loss',
    file: acknowledged,
    from: 'number <= numberAtStart && ',
    to: '',
  },
  {
    name: 'labels of an ended request that are not appended',
    file: session,
    from: 'if (this.unsettled) this.settle(member);\n    else this.#retireIfIdle();',
    to: 'this.#retireIfIdle();',
  },
  {
    name: 'labels beyond the limit that reach the store',
    file: appends,
    from: 'this.#current?.assertRoom();',
    to: '',
  },
  {
    name: 'an unlimited number of sessions',
    file: sessions,
    from: 'if (this.#inUse.size >= maxSessions) {',
    to: 'if (maxSessions < 0) {',
  },
  {
    name: 'labels that are remembered beyond the TTL of the store',
    file: session,
    from: 'if (nowMs - this.#usedAtMs > this.#owner.memoryMs) {',
    to: 'if (nowMs < 0) {',
  },
  {
    name: 'a label of the session that keeps the scope of the message',
    file: 'lib/labels/label-set.ts',
    from: 'receive(label: string): void {\n    this.#messageOnly?.delete(label);',
    to: 'receive(label: string): void {',
  },
  {
    name: 'labels that a request has when it begins and the process may forget',
    file: request,
    from: 'if (this.#session?.knows) this.#makeLabels();',
    to: '',
  },
  {
    name: 'a label after the end of a response that waits for the client',
    file: request,
    from: "if (isClosed || memberOf(res, 'finished')) microtask",
    to: 'if (isClosed) microtask',
  },
  {
    name: 'labels that stay owed although the store takes labels again',
    file: sessions,
    from: 'this.#owing.delete(session);\n    this.#retryOwed(by);',
    to: 'this.#owing.delete(session);',
  },
  {
    name: 'a store that is closed while an append is in flight',
    file: 'lib/middleware/apl-session-middleware.ts',
    from: '// labels that were added in the meantime\n        await access.idle();',
    to: '',
  },
  {
    name: 'a policy violation that is answered like a store failure',
    file: 'lib/middleware/response-denial.ts',
    from: '(isStoreFailure(violation) && mount.unavailable)',
    to: 'mount.unavailable',
  },
];
