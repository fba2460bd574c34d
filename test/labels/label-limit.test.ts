import { expect } from 'chai';
import { MemorySessionStore, type SessionStore } from '../../lib/index.js';
import { parseMiddlewareOptions } from '../../lib/middleware/middleware-options.js';
import { parseOpenSessionOptions } from '../../lib/open-session/open-session-options.js';
import { ScriptedStore } from '../support/failing-stores.js';

describe('maxLabelsPerSession', () => {
  const limits: ReadonlyArray<readonly [what: string, store: SessionStore, given: number | undefined, limit: number]> =
    [
      ["the store's", new MemorySessionStore({ maxLabelsPerSession: 5 }), undefined, 5],
      ['its own', new MemorySessionStore({ maxLabelsPerSession: 5 }), 3, 3],
      ['1,000, where the store names none', new ScriptedStore(), undefined, 1_000],
    ];
  for (const [what, store, given, limit] of limits) {
    it(`of the middleware and of an open session is ${what}`, () => {
      const options = { store, ...(given !== undefined && { maxLabelsPerSession: given }) };
      expect(parseMiddlewareOptions({ session: () => 's', ...options }).limits.maxLabelsPerSession).to.equal(limit);
      expect(parseOpenSessionOptions({ session: 's', ...options }).limits.maxLabelsPerSession).to.equal(limit);
    });
  }
});
