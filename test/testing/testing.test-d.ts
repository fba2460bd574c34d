/** Misuse of `express-apl-session/testing` that must not compile. `npm run types` checks this file; nothing runs it. */
import { MemorySessionStore } from '../../lib/index.js';
import { controllableStore, seedSession, sessionIdFor, sessionStoreContract } from '../../lib/testing.js';

const store = controllableStore();

await seedSession(store, { subject: 'alice', sessionId: 's1', keying: 'strict' }, ['secret']);
await seedSession(new MemorySessionStore(), 'an id', ['secret']);
// @ts-expect-error a name with a typing error
await seedSession(store, { subject: 'alice', sesionId: 's1' }, ['secret']);
// @ts-expect-error labels are a list
await seedSession(store, 'an id', 'secret');
// @ts-expect-error a subject is required
sessionIdFor({ sessionId: 's1' });

store.fail('append', new Error('disk full'));
// @ts-expect-error the name of an operation, not of a method
store.fail('appendLabels');
// @ts-expect-error milliseconds are required
store.delay('load');
// @ts-expect-error a block is not a store
controllableStore({ kind: 'memory' });

for (const { title, run } of sessionStoreContract({ open: async () => store, singleProcess: true })) it(title, run);
// @ts-expect-error open is required
sessionStoreContract({ close: true });
// @ts-expect-error both parts of an outage are required
sessionStoreContract({ open: () => store, outage: { start: () => {} } });
