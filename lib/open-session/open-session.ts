import type { SessionStore } from '../contract/session-store.js';
import { alarmedIfNotPersisted } from '../known-sessions/alarmed-failure.js';
import { StoreAccess } from '../known-sessions/store-access.js';
import { keptAlive } from '../util/kept-alive.js';
import { OpenSessionMember } from './open-session-member.js';
import { type OpenSessionOptions, type OpenSessionSettings, parseOpenSessionOptions } from './open-session-options.js';

/** A session without a response. Nothing holds your output, so await `persist()` before you send anything. */
export interface OpenSession {
  /** The id under which the store keeps this session. */
  readonly sessionId: string;

  /** How the session was found; `custom` if the resolver returned a plain id. */
  readonly source: string;

  /**
   * The loaded labels and those added since. The set only grows, as `req.security.labels` does. The append of a new label starts
   * after the current call stack; if it fails, an alarm is raised.
   */
  readonly labels: Set<string>;

  /**
   * Write-ahead: appends the labels that the store has not acknowledged yet and waits. Resolves at once without such labels.
   * @throws AplSessionError `session.persist_failed`; a later call retries
   */
  persist(): Promise<void>;

  /**
   * Persists the remaining labels, then closes the store if `openSession` made it. You may call it again.
   * @throws AplSessionError `session.persist_failed`
   */
  close(): Promise<void>;

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Loads the labels of a session for work without a response, for example a message on a socket or a job of a queue. Rejects where
 * a request would be denied, and raises the same alarms.
 *
 * @example
 * await using session = await openSession({ session: job.sessionId, store, name: 'jobs' });
 * if (session.labels.has('secret')) return;
 * session.labels.add('PII');
 * await session.persist();
 *
 * @throws AplSessionError `config.*` for invalid options; `session.required` without a session; `session.invalid` for a
 * malformed one; `session.load_failed` if the labels cannot be loaded; `session.persist_failed` if this process has labels of
 * the session that it could not store before and cannot store now
 */
export async function openSession(options: OpenSessionOptions): Promise<OpenSession> {
  const settings = parseOpenSessionOptions(options);
  const { store, ownsStore, alarms } = settings;
  const access = new StoreAccess(settings, alarms);
  access.sessions.onStoreAlarm(alarms.raise);
  const member = new OpenSessionMember(access, settings.name, settings.session.id, settings.sessions);
  try {
    return new LoadedSession(settings, member, await keptAlive(() => member.load()));
  } catch (error) {
    member.leave();
    // an error of close() must not replace the error of the load
    if (ownsStore) await closeStore(store).catch(() => {});
    throw error;
  }
}

async function closeStore(store: SessionStore): Promise<void> {
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
    return alarmedIfNotPersisted(keptAlive(() => this.#member.persist()));
  }

  close(): Promise<void> {
    return alarmedIfNotPersisted(this.#close());
  }

  async #close(): Promise<void> {
    try {
      await this.persist();
    } finally {
      this.#member.leave();
      const { store, ownsStore, alarms } = this.#settings;
      if (ownsStore) {
        alarms.flush();
        await closeStore(store);
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
