import type { SessionStoreFailure, SessionStoreRecovered } from '../contract/alarms.js';
import { LastingFailure, type Recovery } from './lasting-failure.js';

type Operation = SessionStoreFailure['op'];

/** These failures concern one session, so a success of another one does not end them. */
const OF_ONE_SESSION: ReadonlySet<string | undefined> = new Set(['store.too_many_labels', 'store.malformed_reply']);

/** There was no connection, or no reply in time. Any call that is answered ends these failures. */
const OF_CONNECTION =
  /^store\.(unavailable|timeout|circuit_open|login_failed|tls_failed|certificate_(untrusted|expired|wrong_name))$/;

/** Listeners beyond this number are not told of a recovery: each `openSession()` may bring one of its own. */
const MAX_LISTENERS = 100;

const AGAIN: Readonly<Record<Operation, string>> = {
  load: 'Loads succeed again.',
  append: 'Appends succeed again.',
};

type OnRecovered = (alarm: SessionStoreRecovered) => void;

/** The failed loads or appends of one store. */
class OperationFailure {
  readonly #operation: Operation;
  readonly #lasting = new LastingFailure((recovery) => this.#recovered(recovery));
  /** The reporters that have raised an alarm, and are told about the recovery. */
  readonly #listeners = new Map<unknown, OnRecovered>();
  #isOfConnection = true;

  constructor(operation: Operation) {
    this.#operation = operation;
  }

  get lasts(): boolean {
    return this.#lasting.lasts;
  }

  failed(code: string | undefined, key: unknown, onRecovered: OnRecovered): void {
    if (!this.lasts) this.#isOfConnection = true;
    if (!OF_CONNECTION.test(code ?? '')) this.#isOfConnection = false;
    if (this.#listeners.size < MAX_LISTENERS) this.#listeners.set(key, onRecovered);
    this.#lasting.failed(code);
  }

  succeeded(operation: Operation): void {
    if (operation === this.#operation || this.#isOfConnection) this.#lasting.succeeded();
  }

  settle(): void {
    this.#lasting.settle();
  }

  #recovered(recovery: Recovery): void {
    const op = this.#operation;
    const alarm = { alarm: 'session_store_recovered', after: 'session_store_failure', op, ...recovery } as const;
    const frozen = Object.freeze({ ...alarm, error: AGAIN[op] });
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const onRecovered of listeners) onRecovered(frozen);
  }
}

/** The failures of one store that last. All middleware and open sessions of the store share them. */
export class StoreFailures {
  readonly #operations = { load: new OperationFailure('load'), append: new OperationFailure('append') };

  /** Whether a success must be reported. */
  get last(): boolean {
    return this.#operations.load.lasts || this.#operations.append.lasts;
  }

  /** @param key stands for the listener; a listener with the same key replaces an earlier one */
  failed(operation: Operation, code: string | undefined, key: unknown, onRecovered: OnRecovered): void {
    if (!OF_ONE_SESSION.has(code)) this.#operations[operation].failed(code, key, onRecovered);
  }

  succeeded(operation: Operation): void {
    for (const each of Object.values(this.#operations)) each.succeeded(operation);
  }

  /** Reports recoveries now that would be reported after a quiet second. */
  settle(): void {
    for (const each of Object.values(this.#operations)) each.settle();
  }
}
