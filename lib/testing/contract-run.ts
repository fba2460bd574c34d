import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { SessionStore } from '../contract/session-store.js';
import type { SessionStoreContractOptions } from './contract-options.js';

/** A case of the contract: its title, and its test. */
export interface CaseDefinition {
  readonly title: string;
  readonly body: (run: ContractRun) => Promise<void>;
}

type Opener = Pick<SessionStoreContractOptions, 'open' | 'singleProcess'>;

/** One run of one case: its stores, and its session ids. */
export class ContractRun {
  readonly #opener: Opener;
  readonly #stores = new Set<SessionStore>();
  /** Keeps the case apart from others and from earlier runs on the same backend. */
  readonly #prefix = randomUUID();

  private constructor(opener: Opener) {
    this.#opener = opener;
  }

  /** Runs a case, then closes its stores. */
  static async of(opener: Opener, body: CaseDefinition['body']): Promise<void> {
    const run = new ContractRun(opener);
    try {
      await body(run);
    } finally {
      await Promise.all([...run.#stores].map((store) => store.close?.()));
    }
  }

  /** A store as another process has it. A store of a single process is opened once. */
  async open(): Promise<SessionStore> {
    const [first] = this.#stores;
    if (first && this.#opener.singleProcess) return first;
    return this.use(await this.#opener.open());
  }

  /** Two stores as two processes have them. */
  async openTwo(): Promise<{ readonly one: SessionStore; readonly two: SessionStore }> {
    return { one: await this.open(), two: await this.open() };
  }

  /** Closes this store as well at the end. */
  use(store: SessionStore): SessionStore {
    this.#stores.add(store);
    return store;
  }

  /** A session id of this case only. */
  id(name = ''): string {
    return `${this.#prefix}${name}`;
  }
}

/** Loads the labels in sorted order, and checks the form of the result. */
export async function load(store: SessionStore, sessionId: string): Promise<string[]> {
  const labels = labelsOf(await store.loadLabels(sessionId));
  assert.equal(new Set(labels).size, labels.length, `loadLabels() must return each label once, but returned ${labels}`);
  return labels.sort();
}

function labelsOf(reply: unknown): string[] {
  // a string is an iterable of strings, but not of labels
  if (typeof reply !== 'object' || reply === null || !(Symbol.iterator in reply)) {
    return assert.fail(`loadLabels() must resolve with an iterable of strings, but resolved with ${typeof reply}`);
  }
  return [...(reply as Iterable<unknown>)].map((label) =>
    typeof label === 'string' ? label : assert.fail(`loadLabels() must return strings, but returned a ${typeof label}`),
  );
}

/** The reason for which the call rejects. Fails if the call throws or resolves. */
export async function rejectionOf(what: string, call: () => Promise<unknown>): Promise<unknown> {
  const promise = promiseOf(what, call);
  const outcome = await promise.then(
    () => ({ rejected: false }) as const,
    (error: unknown) => ({ rejected: true, error }) as const,
  );
  return outcome.rejected ? outcome.error : assert.fail(`${what} must reject, but resolved`);
}

/** Fails if the call does not return a promise. */
export function promiseOf<T>(what: string, call: () => Promise<T>): Promise<T> {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    assert.fail(`${what} must return a promise, but threw: ${error}`);
  }
  const { then } = Object(result) as { then?: unknown };
  assert.equal(typeof then, 'function', `${what} must return a promise`);
  return result as Promise<T>;
}

export function assertCode(error: unknown, code: string, what: string): void {
  const got = (error as { code?: unknown } | null | undefined)?.code;
  assert.equal(
    got,
    code,
    `${what} must reject with an AplSessionError with the code '${code}', but rejected with: ${error}`,
  );
}
