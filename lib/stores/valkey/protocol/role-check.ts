import { demotionError } from './reply-error.js';
import type { Reply } from './resp-parser.js';
import { requestOf, type ValkeyRequest } from './valkey-request.js';

export type ValkeyRole = 'primary' | 'replica' | 'unknown';

/** Reads the role from the reply to `HELLO`, which is a list of names and values. */
export function roleIn(reply: Reply | undefined): ValkeyRole {
  const role = Array.isArray(reply) ? reply[reply.indexOf('role') + 1] : undefined;
  if (role === 'master' || role === 'primary') return 'primary';
  return role === 'replica' || role === 'slave' ? 'replica' : 'unknown';
}

/** The answer that the pending reads share. */
interface Pending {
  readonly answer: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const HELLO = requestOf(['hello']);

/** Checks that the server is still a primary. One check serves all the reads that were sent before it. */
export class RoleCheck {
  #pending: Pending | undefined;

  /** Rejects unless the next `ask` finds a primary. */
  wait(): Promise<void> {
    this.#pending ??= newPending();
    return this.#pending.answer;
  }

  /** Sends the check, if a read waits for it. */
  ask(wire: { ask(request: ValkeyRequest): Promise<readonly Reply[]> }): void {
    const pending = this.#pending;
    if (!pending) return;
    this.#pending = undefined;
    wire.ask(HELLO).then(([reply]) => {
      const role = roleIn(reply);
      if (role === 'primary') return pending.resolve();
      pending.reject(role === 'replica' ? demotionError() : new Error('The server did not tell its role.'));
    }, pending.reject);
  }
}

function newPending(): Pending {
  let resolve!: Pending['resolve'];
  let reject!: Pending['reject'];
  const answer = new Promise<void>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { answer, resolve, reject };
}
