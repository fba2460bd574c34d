import { AsyncResource } from 'node:async_hooks';
import { withoutSecrets } from '../alarms/redact.js';
import type { LabelOrigin } from '../contract/provenance.js';
import { wallClock } from '../util/clock.js';
import type { TimedCall } from '../util/deadlines.js';
import type { OwingSession, SessionMember } from './session-member.js';
import type { StoreAccess } from './store-access.js';

/** A member of a session that serves no request: it makes appends, and no response waits for them. */
export class BackgroundMember implements SessionMember {
  readonly #access: StoreAccess;
  readonly #name: string;
  readonly #session: OwingSession;
  readonly #onLabel: (label: string) => void;
  readonly #context = new AsyncResource('express-apl-session.member');

  /**
   * @param name stands for the route in alarms
   * @param onLabel called for each label that another member adds
   */
  constructor(access: StoreAccess, name: string, session: OwingSession, onLabel: (label: string) => void = () => {}) {
    this.#access = access;
    this.#name = name;
    this.#session = session;
    this.#onLabel = onLabel;
  }

  /** A member that appends the unacknowledged labels of a session that no request uses. */
  static forOwed(access: StoreAccess, session: OwingSession, name = 'labels owed from before'): BackgroundMember {
    return new BackgroundMember(access, name, session);
  }

  append(call: TimedCall<void>): void {
    this.#access.append(call);
  }

  inContext(callback: () => void): void {
    this.#context.runInAsyncScope(callback);
  }

  keepContext(): void {}

  assertRoom(): void {
    this.#access.assertRoom(new Set(this.#session.labels()).size);
  }

  forOwed(session: OwingSession): SessionMember {
    return BackgroundMember.forOwed(this.#access, session);
  }

  originOf(by: string | undefined): LabelOrigin {
    const route = withoutSecrets(this.#name, [this.#session.id]);
    return { atMs: wallClock(), route, ...(by !== undefined && { by }) };
  }

  onLabel(label: string): void {
    this.#onLabel(label);
  }

  onSettled(): void {}

  onAppendFailed(cause: unknown): void {
    const secrets = [this.#session.id, ...this.#session.labels(), ...(this.#session.storedLabels?.() ?? [])];
    this.#access.alarms.storeFailure('append', cause, { at: this.#name, secrets });
  }
}
