/** Misuse of guards that must not compile. `npm run types` checks this file; nothing runs it. */
import type { Application, Request, RequestHandler } from 'express';
import {
  type DecidePolicy,
  denyIf,
  PolicyViolation,
  policy,
  policyViolationHandler,
  requireSession,
  requireThat,
  taint,
  type Violation,
} from '../../lib/index.js';

declare const app: Application;
declare const violation: Violation;
declare const someLabels: string[];
declare function subjectOf(req: Request): string;

// taint
taint('a', 'b', { scope: 'message', name: 'n' });
// @ts-expect-error no label
taint();
// @ts-expect-error options without a label
taint({ scope: 'message' });
// @ts-expect-error a list that may be empty
taint(...someLabels);
// @ts-expect-error labels come one by one
taint(['a']);
// @ts-expect-error no such scope
taint('a', { scope: 'request' });
// @ts-expect-error options come last
taint({ scope: 'message' }, 'a');
// @ts-expect-error no such option
taint('a', { ttlSeconds: 5 });

// denyIf
denyIf({ all: ['a', 'b'] }, violation, { name: 'n' });
denyIf(async (req) => req.security.labels.has('a'), violation);
// @ts-expect-error any or all of them?
denyIf(['a'], violation);
// @ts-expect-error any of nothing
denyIf({ any: [] }, violation);
// @ts-expect-error a list that may be empty
denyIf({ all: someLabels }, violation);
// @ts-expect-error one of them, not both
denyIf({ any: ['a'], all: ['b'] }, violation);
// @ts-expect-error neither
denyIf({}, violation);
// @ts-expect-error no violation
denyIf('a');
// @ts-expect-error half a violation
denyIf('a', { code: 'c' });
// @ts-expect-error a predicate answers with a boolean
denyIf((req) => req.get('authorization'), violation);
// @ts-expect-error a predicate answers
denyIf(() => {}, violation);
// @ts-expect-error no such option
denyIf('a', violation, { scope: 'message' });

// requireThat
requireThat((req) => req.secure, violation);
// @ts-expect-error a label is not a predicate
requireThat('a', violation);
// @ts-expect-error a predicate answers with a boolean
requireThat(async () => 'yes', violation);

// requireSession
app.use(requireSession({ name: 'n' }), policyViolationHandler());
// @ts-expect-error it makes a guard, and is not a guard itself
const notCalled: RequestHandler = requireSession;
// @ts-expect-error no such option
requireSession({ scope: 'message' });
// @ts-expect-error no options
policyViolationHandler({ status: 401 });

// policy
policy(() => ({ allow: true }));
policy(({ labels }) => (labels.has('a') ? violation : { allow: true }), { name: 'n' });
policy(async () => new PolicyViolation(violation));
policy(({ subject }) => (subject.startsWith('a') ? { allow: true } : violation), { subject: subjectOf });
policy(({ subject }) => (subject === 'a' ? { allow: true } : violation), { subject: (req) => req.get('x-user') });
policy(async ({ subject }) => (subject.length > 0 ? { allow: true } : violation), { subject: subjectOf, name: 'n' });
// @ts-expect-error a path that decides nothing
policy(({ labels }) => {
  if (labels.has('a')) return violation;
});
// @ts-expect-error true is not a decision
policy(() => true);
// @ts-expect-error nor is the answer to another question
policy(() => ({ allow: false }));
// @ts-expect-error allow, or a violation
policy(() => ({ allow: true, code: 'c', reason: 'r' }));
// @ts-expect-error half a violation
policy(() => ({ code: 'c' }));
// @ts-expect-error the subject is missing
policy(({ subject }) => (subject.length > 0 ? { allow: true } : violation));
// @ts-expect-error the subject is not a number
policy<number>(() => ({ allow: true }), { subject: subjectOf });
// @ts-expect-error a policy decides on labels, it does not add them
policy(({ labels }) => labels.add('a') && { allow: true });
// @ts-expect-error a decision that wants a subject must get one
policy((() => ({ allow: true })) satisfies DecidePolicy<string> as DecidePolicy<string>);

// PolicyViolation
export const error = new PolicyViolation(violation, { cause: notCalled });
// @ts-expect-error one object
new PolicyViolation('code', 'reason');
// @ts-expect-error half a violation
new PolicyViolation({ code: 'c' });
// @ts-expect-error what it says stays
error.code = 'other';
