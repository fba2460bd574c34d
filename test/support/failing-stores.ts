import { setTimeout as delay } from 'node:timers/promises';
import { MemorySessionStore, type SessionStore } from '../../lib/index.js';

/** The answers of a store to its calls. They may break the contract. */
type Behaviour = () => unknown;

/** A store with the given behaviour, which records its calls. By default calls succeed, and nothing is stored. */
export class ScriptedStore implements SessionStore {
  readonly loads: string[] = [];
  readonly appends: Array<readonly string[]> = [];
  readonly #load: Behaviour;
  readonly #append: Behaviour;

  constructor({ load = async () => [], append = async () => {} }: { load?: Behaviour; append?: Behaviour } = {}) {
    this.#load = load;
    this.#append = append;
  }

  loadLabels(sessionId: string): Promise<Iterable<string>> {
    this.loads.push(sessionId);
    return this.#load() as Promise<Iterable<string>>;
  }

  appendLabels(_sessionId: string, labels: readonly string[]): Promise<void> {
    this.appends.push([...labels]);
    return this.#append() as Promise<void>;
  }
}

/** A way in which a store fails, and what the alarm says about it. */
export interface Failure {
  readonly name: string;
  readonly behaviour: Behaviour;
  /** Only the middleware's deadline ends the call. */
  readonly hangs?: true;
  readonly error: RegExp;
  readonly code?: string;
}

const HANGING = { hangs: true, error: /did not settle/, code: 'store.timeout' } as const;

const FAILURES: readonly Failure[] = [
  { name: 'rejecting', behaviour: () => Promise.reject(new Error('store rejected')), error: /^store rejected$/ },
  {
    name: 'rejecting with a non-Error',
    behaviour: () => Promise.reject('only a text'),
    error: /^only a text$/,
  },
  { name: 'rejecting with nothing', behaviour: () => Promise.reject(), error: /^undefined$/ },
  { name: 'hanging', behaviour: () => new Promise(() => {}), ...HANGING },
  { name: 'answering after the deadline', behaviour: () => delay(300, []), ...HANGING },
  {
    name: 'rejecting after the deadline',
    behaviour: () => delay(300).then(() => Promise.reject(new Error('too late'))),
    ...HANGING,
  },
  {
    name: 'throwing synchronously',
    behaviour() {
      throw new Error('store threw');
    },
    error: /^store threw$/,
  },
  { name: 'returning no promise', behaviour: () => undefined, error: /then/ },
  {
    name: 'settling twice, first with a rejection',
    behaviour: () =>
      settlingTwice((resolve, reject) => {
        reject(new Error('settled twice'));
        resolve([]);
      }),
    error: /^settled twice$/,
  },
];

const MALFORMED = { error: /must answer a load with an iterable of strings/, code: 'store.malformed_reply' } as const;

const NO_LABEL = { error: /answered a load with a text that is not a label/, code: 'store.malformed_reply' } as const;

const MALFORMED_REPLIES: readonly Failure[] = [
  { name: 'loading undefined', behaviour: async () => undefined, ...MALFORMED },
  { name: 'loading null', behaviour: async () => null, ...MALFORMED },
  { name: 'loading a string', behaviour: async () => 'secret', ...MALFORMED },
  { name: 'loading a number', behaviour: async () => 5, ...MALFORMED },
  { name: 'loading [1]', behaviour: async () => ['secret', 1], ...MALFORMED },
  { name: 'loading an object without an iterator', behaviour: async () => ({ 0: 'secret', length: 1 }), ...MALFORMED },
  { name: 'loading an empty text', behaviour: async () => ['secret', ''], ...NO_LABEL },
  { name: 'loading a text that was not UTF-8', behaviour: async () => ['se\ufffdcret'], ...NO_LABEL },
  { name: 'loading a text with a line feed', behaviour: async () => ['secret\nPII'], ...NO_LABEL },
  {
    name: 'loading an iterator that throws',
    behaviour: async () =>
      (function* () {
        yield 'secret';
        throw new Error('iterator threw');
      })(),
    error: /^iterator threw$/,
  },
];

/** Failures of a load. */
export const LOAD_FAILURES: readonly Failure[] = [...FAILURES, ...MALFORMED_REPLIES];

/** Failures of an append; the load works. */
export const APPEND_FAILURES: readonly Failure[] = FAILURES;

/** A thenable that settles twice; only the first counts. */
export function settlingTwice(
  settle: (resolve: (value: unknown) => void, reject: (error: Error) => void) => unknown,
): object {
  // biome-ignore lint/suspicious/noThenProperty: a store may return any thenable
  return { then: settle };
}

/** Works, but each append takes `appendMs`. */
export class SlowStore extends MemorySessionStore {
  readonly #appendMs: number;

  constructor(appendMs: number) {
    super();
    this.#appendMs = appendMs;
  }

  override async appendLabels(sessionId: string, labels: readonly string[]): Promise<void> {
    await delay(this.#appendMs);
    await super.appendLabels(sessionId, labels);
  }
}
