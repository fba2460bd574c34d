// @ts-check
import assert from 'node:assert/strict';
import {
  AplSessionError,
  aplSessionMiddleware,
  denyIf,
  MemorySessionStore,
  openSession,
  subjectSession,
  taint,
} from 'express-apl-session';
import { exercise } from './exercise.mjs';

/** @type {import('express-apl-session').AplSessionOptions} */
const options = {
  session: subjectSession({ subject: (req) => req.get('x-user'), sessionId: async (req) => req.get('mcp-session-id') }),
  store: new MemorySessionStore({ maxSessions: 10 }),
  onAlarm: (alarm) => assert.fail(alarm.alarm === 'session_store_failure' ? alarm.op : alarm.error),
};
await exercise({ middleware: aplSessionMiddleware(options), denyIf, taint });

/** @param {import('express-apl-session').AplSessionOptions} incomplete */
const build = (incomplete) => () => aplSessionMiddleware(incomplete);
// @ts-expect-error session is required
const withoutSession = build({});
assert.throws(withoutSession, (error) => error instanceof AplSessionError && error.code === 'config.invalid');

const store = new MemorySessionStore();
const opened = await openSession({ session: 'a job of alice', store });
opened.labels.add('secret');
await opened[Symbol.asyncDispose]();
assert.deepEqual(await store.loadLabels('a job of alice'), ['secret']);
console.log('import: ok');
