// @ts-check

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { aplSessionMiddleware, denyIf, taint } from 'express-apl-session';
import { ValkeySessionStore, valkeySessionStoreFactory } from 'express-apl-session/valkey';
import { exercise } from './exercise.mjs';

assert.equal(createRequire(import.meta.url)('express-apl-session/valkey').ValkeySessionStore, ValkeySessionStore);

const endpoint = process.env['VALKEY_URL'];
const run = randomUUID();
const middleware = aplSessionMiddleware({
  session: (req) => `${run} ${req.get('x-user')} ${req.get('mcp-session-id')}`,
  store: { kind: 'valkey', endpoint: endpoint ?? 'localhost:6379' },
  storeFactories: [valkeySessionStoreFactory],
});
if (endpoint) await exercise({ middleware, denyIf, taint });
else await middleware.close();
console.log(endpoint ? 'valkey: ok' : 'valkey: loads; not exercised, as VALKEY_URL is not set');
