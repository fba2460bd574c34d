import type { SessionStore } from '../contract/session-store.js';
import { StoreAccess } from '../labels/store-access.js';
import { keptAlive } from '../util/kept-alive.js';
import { OpenSessionMember } from './open-session-member.js';
import { type OpenSessionOptions, type OpenSessionSettings, parseOpenSessionOptions } from './open-session-options.js';

/** A session without a request: nothing holds back what you send, so `persist()` comes before it. */
export interface OpenSession {
  /** The id under which the store keeps this session. */
  readonly sessionId: string;

  /** How the session was found; `custom` if that was not said. */
  readonly source: string;

  /**
   * The session's labels as they were loaded, with those that were added here. Grows only, as `req.security.labels` does. A
   * label that is added is on its way to the store as soon as the current call stack is done; if it does
   * not arrive, there is an alarm.
   */
  readonly labels: Set<string>;

  /**
   * Write-ahead: appends the labels that the store has not acknowledged and waits. Resolves at once if there are none.
   * @throws AplSessionError `session.persist_failed`; a later call tries again
   */
  persist(): Promise<void>;

  /**
   * Persists what is left, then closes the store if it was made here. To be called again does no harm.
   * @throws AplSessionError `session.persist_failed`
   */
  close(): Promise<void>;

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Loads the labels of a session for what has no response: a message on a socket, a job of a queue. Rejects where a
 * request would be denied, and raises the same alarms.
 *
 * @throws AplSessionError `config.*` for options that it does not understand, `session.required` without a session,
 * `session.invalid` for a malformed one, `session.load_failed` if the labels could not be read, `session.persist_failed`
 * if labels that this process owes to the session could not be stored
 */
export async function openSession(options: OpenSessionOptions): Promise<OpenSession> {
  const settings = parseOpenSessionOptions(options);
  const { store, ownsStore, alarms } = settings;
  const access = new StoreAccess(settings, alarms);
  access.sessions.onStoreAlarm(alarms.raise);
  const member = new OpenSessionMember(access, settings.name, settings.session.id);
  try {
    return new LoadedSession(settings, member, await keptAlive(() => member.load()));
  } catch (error) {
    member.leave();
    // what is wrong with the load says more than what is then wrong with the close
    if (ownsStore) await closed(store).catch(() => {});
    throw error;
  }
}

async function closed(store: SessionStore): Promise<void> {
  await store.close?.();
}

class LoadedSession implements OpenSession {
  readonly labels: Set<string>;
  readonly #settings: OpenSessionSettings;
  readonly #member: OpenSessionMember;

  constructor(settings: OpenSessionSettings, member: OpenSessionMember, labels: Set<string>) {
    this.#settings = settings;
    this.#member = member;
    this.labels = labels;
  }

  get sessionId(): string {
    return this.#settings.session.id;
  }

  get source(): string {
    return this.#settings.session.source;
  }

  persist(): Promise<void> {
    return keptAlive(() => this.#member.persist());
  }

  async close(): Promise<void> {
    try {
      await this.persist();
    } finally {
      this.#member.leave();
      const { store, ownsStore } = this.#settings;
      if (ownsStore) await closed(store);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
