const { MemorySessionStore } = require('express-apl-session');
const { sessionStoreContract } = require('express-apl-session/testing');

const cases = sessionStoreContract({
  open: () => new MemorySessionStore(), // your store
  singleProcess: true,
  limit: true,
  close: true,
});

describe('the store', () => {
  for (const { title, run } of cases) it(title, run);
});
