import type { ValkeyClient } from './valkey-client.js';
import { demotionError } from './valkey-faults.js';
import { askRole } from './valkey-role.js';

interface Question {
  readonly answer: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Whether the server is a primary still, asked once for all the reads before it. */
export class RoleCheck {
  #question: Question | undefined;

  /** Rejects if the server is a replica after the reads before the next `ask`. */
  wait(): Promise<void> {
    this.#question ??= newQuestion();
    return this.#question.answer;
  }

  /** Asks, if anybody waits; `onReplica` hears of a replica before they do. */
  ask(client: ValkeyClient, onReplica?: (error: Error) => void): void {
    const question = this.#question;
    if (!question) return;
    this.#question = undefined;
    // a client with a queue would keep the question for later, when nobody waits for it
    const asking = client.status === 'ready' ? askRole(client) : Promise.reject(new Error('The connection was lost.'));
    asking.then((role) => {
      if (role !== 'replica') return question.resolve();
      const error = demotionError();
      onReplica?.(error);
      question.reject(error);
    }, question.reject);
  }
}

function newQuestion(): Question {
  let resolve!: Question['resolve'];
  let reject!: Question['reject'];
  const answer = new Promise<void>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { answer, resolve, reject };
}
