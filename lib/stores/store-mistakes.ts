import { kindOfValue } from '../options/kind-of-value.js';
import { isPromiseLike } from '../util/maybe-promise.js';

type Members = Readonly<Record<string, unknown>>;

/** A value that is often passed as `store` by mistake: how to recognize it, and what to write. */
interface Mistake {
  readonly applies: (given: Members) => boolean;
  readonly fix: string;
}

const EXAMPLE = "give a SessionStore, or a block with a kind, for example { kind: 'memory' }";

/** The first one that applies is reported. A client of Valkey has `get`, `set` and `destroy` as well. */
const MISTAKES: readonly Mistake[] = [
  {
    applies: isPromiseLike,
    fix: 'it is a promise; await it first',
  },
  {
    applies: (given) => typeof given === 'function',
    fix: 'it is a function or a class; call it, for example new MemorySessionStore()',
  },
  {
    applies: ({ build }) => typeof build === 'function',
    fix: "it is a factory; write storeFactories: [valkeySessionStoreFactory], and store: { kind: 'valkey', endpoint }",
  },
  {
    applies: ({ smembers, sMembers }) => typeof (smembers ?? sMembers) === 'function',
    fix: "it is a client of Valkey or Redis; write { kind: 'valkey', client } for a client of ioredis or iovalkey, else { kind: 'valkey', endpoint }",
  },
  {
    applies: ({ get, set, destroy }) => [get, set, destroy].every((method) => typeof method === 'function'),
    fix: "it is a store of express-session, which keeps other data; leave it there, and write { kind: 'memory' } or { kind: 'valkey', endpoint }",
  },
];

/** Says why a value is neither a store nor a block, and what to write. Returns `undefined` if it may be a block. */
export function storeMistake(given: unknown): string | undefined {
  if (typeof given === 'string' && given.includes('://')) {
    return `${EXAMPLE}; got a URL: write { kind: 'valkey', endpoint } and storeFactories: [valkeySessionStoreFactory]`;
  }
  const isObject = (typeof given === 'object' && given !== null) || typeof given === 'function';
  const mistake = isObject ? MISTAKES.find(({ applies }) => applies(given as Members)) : undefined;
  if (mistake) return `${EXAMPLE}; ${mistake.fix}`;
  if (isObject && !Array.isArray(given)) return undefined;
  return `${EXAMPLE}; got ${kindOfValue(given)}`;
}
