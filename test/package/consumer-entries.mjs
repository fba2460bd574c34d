// @ts-check
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as imported from 'express-apl-session';
import { exercise } from './exercise.mjs';

const require = createRequire(import.meta.url);
/** @type {typeof imported} */
const required = require('express-apl-session');

/** @type {{ exports: Record<string, unknown> }} */
const { exports } = JSON.parse(readFileSync(require.resolve('express-apl-session/package.json'), 'utf8'));
const entries = Object.keys(exports).filter((entry) => entry !== './package.json');
assert(entries.length >= 3);
for (const entry of entries) {
  const name = entry.replace('.', 'express-apl-session');
  const here = { ...(await import(name)) };
  assert.deepEqual(Object.keys(here).sort(), Object.keys(require(name)).sort(), `${name} exports the same names`);
  for (const [key, value] of Object.entries(here)) assert.equal(require(name)[key], value, `${name} has one ${key}`);
}

// the middleware is imported and the guards are required, and the other way round
const session = required.subjectSession({ subject: (req) => req.get('x-user'), sessionId: () => 'chat' });
for (const [mounted, guarding] of [
  [imported, required],
  [required, imported],
]) {
  const { denyIf, taint } = guarding;
  await exercise({ middleware: mounted.aplSessionMiddleware({ session }), denyIf, taint });
  assert(new mounted.AplSessionError('store.full', 'full') instanceof guarding.AplSessionError);
}
console.log(`entries: ok, ${entries.join(' ')}`);
