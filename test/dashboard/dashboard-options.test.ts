import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect } from 'chai';
import { type DashboardOptions, dashboard } from '../../lib/dashboard.js';
import { MemorySessionStore } from '../../lib/index.js';
import { thrownBy } from '../support/eventually.js';

describe('dashboard(), options', () => {
  const store = new MemorySessionStore();
  const access = 'checked-before';
  const faults: ReadonlyArray<readonly [what: string, options: unknown, message: RegExp]> = [
    ['no word about the access', { store }, /'access' is required.*administrators.*'checked-before'/],
    ['an access that lets everybody in', { access: true }, /'access' must be a function or 'checked-before'/],
    ['another text as the access', { access: 'public' }, /'access' must be a function or 'checked-before'/],
    ['a block as the store', { access, store: { kind: 'memory' } }, /not a SessionStore.*aplSession\.store/],
    ['explain without a store', { access, explain: true }, /'explain' needs the option 'store'/],
    ['explain with a store without origins', { access, store, explain: true }, /a store with provenance: true/],
    ['an unknown key', { access, maxViewer: 2 }, /did you mean 'maxViewers'/],
    ['no viewer at all', { access, maxViewers: 0 }, /'maxViewers' must be at least 1/],
    ['too many viewers', { access, maxViewers: 1_001 }, /'maxViewers' must be at most 1000/],
    ['the function itself as a handler', new IncomingMessage(new Socket()), /without being called.*dashboard\(\{/],
  ];
  for (const [what, options, message] of faults) {
    it(`${what}: config.invalid, and the message says how to mend it`, () => {
      const error = thrownBy(() => dashboard(options as DashboardOptions));
      expect(error).to.include({ code: 'config.invalid' });
      expect((error as Error).message)
        .to.match(message)
        .and.include('dashboard');
    });
  }
});
