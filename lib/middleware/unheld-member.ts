import { AsyncResource } from 'node:async_hooks';
import { microtask } from '../contract/clock.js';
import type { TimedCall } from '../contract/deadlines.js';
import { AplSessionError } from '../contract/errors.js';
import type { KnownSession } from '../labels/known-session.js';
import { LabelSet, type NewLabelListener } from '../labels/label-set.js';
import type { OwingSession, SessionMember } from '../labels/session-member.js';
import { codeOf, type LoadingMember, type StoreAccess } from '../labels/store-access.js';
import { errorText, withoutSecrets } from './alarm-sink.js';
import { OwedMember } from './owed-member.js';

interface Loading {
  resolve(storedLabels: readonly string[]): void;
  reject(error: AplSessionError): void;
}

/**
 * A member of a session that has no response to hold. It does not keep its labels alive: what a caller opened and dropped
 * without closing it must not stay a member for ever.
 */
export class UnheldMember implements LoadingMember, NewLabelListener {
  readonly #access: StoreAccess;
  readonly #name: string;
  readonly #context = new AsyncResource('express-apl-session.member');
  #session: KnownSession | undefined;
  #labels: WeakRef<LabelSet> | undefined;
  #loading: Loading | undefined;
  #settlesSoon = false;

  /** @param name stands for the route in alarms */
  constructor(access: StoreAccess, name: string) {
    this.#access = access;
    this.#name = name;
  }

  /**
   * Joins a session and loads its labels.
   * @throws AplSessionError `session.load_failed`, `session.persist_failed` for labels that the process owes to it
   */
  load(sessionId: string): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      this.#loading = { resolve, reject };
      try {
        this.#session = this.#access.join(sessionId, this);
      } catch (error) {
        this.onLoadFailed(error, sessionId);
        return;
      }
      this.#access.load(this.#session, this);
    });
  }

  onLoaded(storedLabels: readonly string[]): void {
    this.#loading?.resolve(storedLabels);
  }

  onLoadFailed(cause: unknown, sessionId = this.#session?.id ?? ''): void {
    this.#raise('load', cause, [sessionId]);
    const message = 'The labels of the session could not be loaded.';
    this.#loading?.reject(new AplSessionError('session.load_failed', message, { cause }));
  }

  onOwedFailed(): void {
    const message = 'Earlier labels of the session could not be persisted.';
    this.#loading?.reject(new AplSessionError('session.persist_failed', message));
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

  append(call: TimedCall<void>): void {
    this.#access.append(call);
  }

  inContext(callback: () => void): void {
    this.#context.runInAsyncScope(callback);
  }

  keepContext(): void {}

  forOwed(session: OwingSession): SessionMember {
    return new OwedMember(this.#access, session);
  }

  assertRoom(): void {
    const present = [...(this.#labels?.deref() ?? []), ...(this.#session?.labels() ?? [])];
    this.#access.assertRoom(new Set(present).size);
  }

  onAppendFailed(cause: unknown): void {
    this.#raise('append', cause, [this.#session?.id ?? '', ...(this.#session?.labels() ?? [])]);
  }

  #raise(op: 'load' | 'append', cause: unknown, secrets: readonly string[]): void {
    this.#access.raise({
      alarm: 'session_store_failure',
      op,
      route: withoutSecrets(this.#name, secrets),
      error: errorText(cause, secrets),
      ...codeOf(cause),
    });
  }
}
