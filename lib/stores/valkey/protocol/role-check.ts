import type { Reply } from './resp-parser.js';
import { demotionError } from './valkey-errors.js';
import { requestOf, type ValkeyRequest } from './valkey-request.js';
import { roleIn } from './valkey-role.js';

interface Question {
  readonly answer: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const WHO_ARE_YOU = requestOf(['hello']);

/** Whether the server is a primary still, asked once for all the reads before it. */
export class RoleCheck {
  #question: Question | undefined;

  /** Rejects unless the server is a primary after the reads before the next `ask`. */
  wait(): Promise<void> {
    this.#question ??= newQuestion();
    return this.#question.answer;
  }

  /** Asks, if a read waits. */
  ask(wire: { ask(request: ValkeyRequest): Promise<readonly Reply[]> }): void {
    const question = this.#question;
    if (!question) return;
    this.#question = undefined;
    wire.ask(WHO_ARE_YOU).then(([reply]) => {
      const role = roleIn(reply);
      if (role === 'primary') return question.resolve();
      question.reject(role === 'replica' ? demotionError() : new Error('The server did not tell its role.'));
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
