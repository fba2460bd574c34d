import { expect } from 'chai';
import {
  type AplSessionOptions,
  aplSessionMiddleware,
  MemorySessionStore,
  type MemorySessionStoreOptions,
  type SessionStoreBlock,
} from '../../lib/index.js';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../lib/valkey.js';
import { thrownBy } from '../support/eventually.js';

/** Options as a parser of JSON makes them. */
const parsed = (text: string): unknown => JSON.parse(text);

const takers: ReadonlyArray<readonly [what: string, base: object, take: (options: unknown) => unknown]> = [
  ['MemorySessionStore', {}, (options) => new MemorySessionStore(options as MemorySessionStoreOptions)],
  [
    'ValkeySessionStore',
    { endpoint: 'localhost' },
    (options) => new ValkeySessionStore(options as ValkeySessionStoreOptions),
  ],
  [
    'a store block',
    { kind: 'memory' },
    (store) => aplSessionMiddleware({ session: () => undefined, store: store as SessionStoreBlock }),
  ],
  [
    'aplSessionMiddleware',
    {},
    (options) => aplSessionMiddleware({ ...(options as AplSessionOptions), session: () => undefined }),
  ],
];

describe('options with members on their prototype', () => {
  for (const [what, base, take] of takers) {
    for (const key of ['__proto__', 'constructor']) {
      it(`${what}: a key '${key}' is config.invalid, and named`, () => {
        const text = JSON.stringify({ ...base, key: { maxSessions: 5 } }).replace('"key"', JSON.stringify(key));
        const error = thrownBy(() => take(parsed(text))) as Error;
        expect(error).to.have.property('code', 'config.invalid');
        expect(error.message).to.include(`'${key}'`);
      });
    }
  }

  for (const [what, base, take] of takers.slice(0, 3)) {
    it(`${what}: inherited keys are config.invalid`, () => {
      const error = thrownBy(() => take(Object.setPrototypeOf({ ...base }, { ttlSeconds: 5 })));
      expect(error).to.have.property('code', 'config.invalid');
    });
  }

  for (const text of [
    '{ "endpoint": "localhost", "circuitBreaker": { "__proto__": { "halfOpenAfterMs": 5 } } }',
    '{ "endpoint": "localhost:6379", "tls": { "servername": "a.example", "__proto__": { "ca": "x" } } }',
    '{ "endpoint": "localhost", "circuitBreaker": { "constructor": 5 } }',
  ]) {
    it(`ValkeySessionStore: ${text} is config.invalid`, () => {
      expect(thrownBy(() => new ValkeySessionStore(parsed(text) as ValkeySessionStoreOptions)))
        .to.have.property('message')
        .that.matches(/'?(__proto__|constructor)'?/);
    });
  }

  it('options without a prototype, or of a class, are accepted', () => {
    class Options {
      maxSessions = 5;
      ttlSeconds = 6;
    }
    for (const options of [Object.assign(Object.create(null), { ttlSeconds: 6 }), new Options()]) {
      const store = new MemorySessionStore(options);
      expect(store.ttlSeconds).to.equal(6);
      void store.close();
    }
  });
});
