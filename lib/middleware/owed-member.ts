import { AsyncResource } from 'node:async_hooks';
import type { TimedCall } from '../contract/deadlines.js';
import type { OwingSession, SessionMember } from '../labels/session-member.js';
import { codeOf, type StoreAccess } from '../labels/store-access.js';
import { errorText, withoutSecrets } from './alarm-sink.js';

/** Appends the labels that a session owes where no request of that session does it. It is not a member for longer. */
export class OwedMember implements SessionMember {
  readonly #access: StoreAccess;
  readonly #session: OwingSession;
  readonly #name: string;
  readonly #context = new AsyncResource('express-apl-session.owed');

  /** @param name stands for the route in alarms */
  constructor(access: StoreAccess, session: OwingSession, name = 'labels owed from before') {
    this.#access = access;
    this.#session = session;
    this.#name = name;
  }

  append(call: TimedCall<void>): void {
    this.#access.append(call);
  }

  inContext(callback: () => void): void {
    this.#context.runInAsyncScope(callback);
  }

  keepContext(): void {}

  forOwed(session: OwingSession): SessionMember {
    return new OwedMember(this.#access, session, this.#name);
  }

  assertRoom(): void {
    this.#access.assertRoom(new Set(this.#session.labels()).size);
  }

  onLabel(): void {}

  onSettled(): void {}

  onAppendFailed(cause: unknown): void {
    const secrets = [this.#session.id, ...this.#session.labels()];
    this.#access.raise({
      alarm: 'session_store_failure',
      op: 'append',
      route: withoutSecrets(this.#name, secrets),
      error: errorText(cause, secrets),
      ...codeOf(cause),
    });
  }
}
