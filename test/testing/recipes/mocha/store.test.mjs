import { MemorySessionStore } from 'express-apl-session';
import { sessionStoreContract } from 'express-apl-session/testing';
import { describe, it } from 'mocha';

const cases = sessionStoreContract({
  open: () => new MemorySessionStore(), // your store
  singleProcess: true,
  limit: true,
  close: true,
});

describe('the store', () => {
  for (const { title, run } of cases) it(title, run);
});
