/** Misuse of the context and of open sessions that must not compile. `npm run types` checks this file; nothing runs it. */
import type { Application, Request } from 'express';
import { currentSecurity, securityContext } from '../../lib/context.js';
import {
  type OpenSession,
  openSession,
  type RequestSecurity,
  type SessionStore,
  subjectSession,
} from '../../lib/index.js';

declare const app: Application;
declare const req: Request;
declare const store: SessionStore;

app.use(securityContext());
// @ts-expect-error it takes no options
securityContext({});
export const security: RequestSecurity = currentSecurity();
// @ts-expect-error labels are added, never replaced
currentSecurity().labels = new Set();
// @ts-expect-error of the request that calls, of no other
currentSecurity(req);

const resolve = subjectSession({ subject: () => 'alice' });
export const opened: OpenSession = await openSession({ session: await resolve(req), store, name: 'jobs' });
await openSession({ session: { id: 'job' }, store: { kind: 'valkey', endpoint: 'localhost:6379' } });
// @ts-expect-error the session is missing
openSession({ store });
// @ts-expect-error the store is missing
openSession({ session: 'job' });
// @ts-expect-error a resolver needs a request
openSession({ session: resolve, store });
// @ts-expect-error the session is awaited before
openSession({ session: resolve(req), store });
// @ts-expect-error no such option
openSession({ session: 'job', store, ttlSeconds: 5 });
// @ts-expect-error it has to be awaited
openSession({ session: 'job', store }).labels;
// @ts-expect-error there is nothing to deny
opened.deny({ code: 'c', reason: 'r' });
// @ts-expect-error a label is a text
opened.labels.add(42);
