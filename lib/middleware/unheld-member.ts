import { AsyncResource } from 'node:async_hooks';
import { microtask } from '../contract/clock.js';
import type { TimedCall } from '../contract/deadlines.js';
import type { KnownSession } from '../labels/known-session.js';
import { LabelSet, type NewLabelListener } from '../labels/label-set.js';
import type { SessionMember } from '../labels/session-member.js';
import { codeOf, type StoreAccess } from '../labels/store-access.js';
import { errorText, withoutSecrets } from './alarm-sink.js';

/**
 * A member of a session that has no response to hold. It does not keep its labels alive: what a caller opened and dropped
 * without closing it must not stay a member for ever.
 */
export class UnheldMember implements SessionMember, NewLabelListener {
  readonly #access: StoreAccess;
  readonly #name: string;
  readonly #context = new AsyncResource('express-apl-session.member');
  #session: KnownSession | undefined;
  #labels: WeakRef<LabelSet> | undefined;
  #settlesSoon = false;

  /** @param name stands for the route in alarms */
  constructor(access: StoreAccess, name: string, session?: KnownSession) {
    this.#access = access;
    this.#name = name;
    this.#session = session;
  }

  /** @throws AplSessionError `session.capacity_exceeded` */
  join(sessionId: string): KnownSession {
    this.#session = this.#access.join(sessionId, this);
    return this.#session;
  }

  leave(): void {
    this.#session?.leave(this);
  }

  /** The labels of the session from now on: those that were loaded, and those that the process knows. */
  labelsWith(storedLabels: readonly string[]): LabelSet {
    const labels = new LabelSet([...storedLabels, ...(this.#session?.labels() ?? [])], this);
    this.#labels = new WeakRef(labels);
    this.#access.sessions.leaveWith(labels, () => this.leave());
    return labels;
  }

  persist(): Promise<void> {
    return this.#session?.persist(this) ?? Promise.resolve();
  }

  /** There is no end of a response that could save the label; labels of one task go in one append. */
  onNewLabel(label: string): void {
    this.#session = this.#session?.add(label, this);
    if (this.#settlesSoon) return;
    this.#settlesSoon = true;
    microtask(() => {
      this.#settlesSoon = false;
      this.#session?.settle(this);
    });
  }

  onLabel(label: string): void {
    this.#labels?.deref()?.receive(label);
  }

  onSettled(): void {}

  run(call: TimedCall<void>): void {
    this.#context.runInAsyncScope(() => this.#access.append(call));
  }

  assertRoom(): void {
    this.#access.assertRoom(this.#labels?.deref()?.size ?? 0);
  }

  onAppendFailed(cause: unknown): void {
    const secrets = [this.#session?.id ?? '', ...(this.#session?.labels() ?? [])];
    this.#access.raise({
      alarm: 'session_store_failure',
      op: 'append',
      route: withoutSecrets(this.#name, secrets),
      error: errorText(cause, secrets),
      ...codeOf(cause),
    });
  }
}
