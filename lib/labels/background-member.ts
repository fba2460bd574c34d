import { AsyncResource } from 'node:async_hooks';
import type { TimedCall } from '../util/deadlines.js';
import type { OwingSession, SessionMember } from './session-member.js';
import type { StoreAccess } from './store-access.js';

/** A member of a session that serves no request: it makes appends, and no response waits for them. */
export abstract class BackgroundMember implements SessionMember {
  protected readonly access: StoreAccess;
  /** Stands for the route in alarms. */
  protected readonly name: string;
  readonly #context = new AsyncResource('express-apl-session.member');

  constructor(access: StoreAccess, name: string) {
    this.access = access;
    this.name = name;
  }

  /** The session's id and its labels, which no alarm may show. */
  protected abstract secrets(): readonly string[];

  /** The labels of the session as far as this member knows them; a label may occur twice. */
  protected abstract presentLabels(): Iterable<string>;

  append(call: TimedCall<void>): void {
    this.access.append(call);
  }

  inContext(callback: () => void): void {
    this.#context.runInAsyncScope(callback);
  }

  keepContext(): void {}

  assertRoom(): void {
    this.access.assertRoom(new Set(this.presentLabels()).size);
  }

  forOwed(session: OwingSession): SessionMember {
    return new OwedMember(this.access, session);
  }

  onLabel(_label: string): void {}

  onSettled(): void {}

  onAppendFailed(cause: unknown): void {
    this.access.alarms.storeFailure('append', cause, { at: this.name, secrets: this.secrets() });
  }
}

/** Appends the labels that a session owes when no request of that session does it. It leaves the session after that. */
export class OwedMember extends BackgroundMember {
  readonly #session: OwingSession;

  constructor(access: StoreAccess, session: OwingSession, name = 'labels owed from before') {
    super(access, name);
    this.#session = session;
  }

  protected presentLabels(): Iterable<string> {
    return this.#session.labels();
  }

  protected secrets(): readonly string[] {
    return [this.#session.id, ...this.#session.labels()];
  }
}
