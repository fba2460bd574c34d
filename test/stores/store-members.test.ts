import { expect } from 'chai';
import { aplSessionMiddleware, healthHandler, type SessionStore } from '../../lib/index.js';
import { thrownBy } from '../support/eventually.js';

const WRONG: ReadonlyArray<readonly [member: string, value: unknown, text: string]> = [
  ...['explain', 'ready', 'close', 'check', 'status', 'ping', 'onReconnect', 'onAlarm'].flatMap((name) => [
    [name, true, `the member '${name}' of the store must be a function; got a boolean.`] as const,
    [name, null, `the member '${name}' of the store must be a function; got null.`] as const,
    [name, {}, `the member '${name}' of the store must be a function; got an object.`] as const,
  ]),
  ['provenance', 'yes', "the store's provenance must be true or false; got a string."],
  ['ttlSeconds', '60', "the store's ttlSeconds must be a number above 0;"],
  ['ttlSeconds', 0, "the store's ttlSeconds must be a number above 0;"],
];

describe('optional members of a store of your own', () => {
  for (const [member, value, text] of WRONG) {
    it(`${member}: ${JSON.stringify(value)} is config.invalid at construction`, () => {
      const own = { loadLabels: async () => [], appendLabels: async () => {}, ping: async () => 1, [member]: value };
      const store = own as unknown as SessionStore;
      const built = { storeFactories: [{ kind: 'own', build: () => store }], store: { kind: 'own' } };
      for (const make of [
        () => aplSessionMiddleware({ session: () => 'id', store }),
        () => aplSessionMiddleware({ session: () => 'id', ...built }),
        () => healthHandler({ store }),
      ]) {
        const error = thrownBy(make);
        expect(error).to.have.property('code', 'config.invalid');
        expect((error as Error).message).to.include(text);
      }
    });
  }
});
