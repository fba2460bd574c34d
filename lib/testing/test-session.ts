import type { Request } from 'express';
import Joi from 'joi';
import { AplSessionError } from '../contract/errors.js';
import type { SessionStore } from '../contract/session-store.js';
import { ENROLLED, readEnrolment } from '../labels/enrolment.js';
import { assertLabel } from '../labels/label.js';
import { invalidConfig } from '../options/invalid-config.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { parseOptions } from '../options/parse-options.js';
import { type ResolvedSession, toResolvedSession } from '../session/resolved-session.js';
import type { SessionKeying } from '../session/session-keying.js';
import { subjectSession } from '../session/subject-session.js';
import { isSessionStore } from '../stores/session-store-registry.js';

/**
 * The values that the accessors of `subjectSession` return for a request of the test. The tiers are tried in the same order:
 * `sessionId` (tier `agent`), then `claim` (tier `token_claim`), then the subject alone, with `caller` and `gateway` (tier
 * `identity`). Name every value that the request has, because the app uses the first tier that has one.
 */
export interface SubjectOfTest {
  /** What the accessor `subject` returns, for example `alice`. */
  readonly subject: string;
  /** What the accessor `sessionId` returns, for example the value of the `mcp-session-id` header. */
  readonly sessionId?: string | undefined;
  /** What the accessor `claim` returns: the `session_id` claim of the token. */
  readonly claim?: unknown;
  /** What the accessor `caller` returns. */
  readonly caller?: string | undefined;
  /** What the accessor `gateway` returns. */
  readonly gateway?: string | undefined;
  /**
   * The `keying` of the app.
   * @default 'cpex'
   */
  readonly keying?: SessionKeying;
}

/** A session in a test: the values of a request for `subjectSession`, or the answer of a resolver of your own (an id, or `{ id }`). */
export type TestSession = SubjectOfTest | string | { readonly id: string; readonly source?: string };

const schema = Joi.object<SubjectOfTest>({
  subject: Joi.string().required(),
  sessionId: Joi.string().allow(''),
  claim: Joi.any(),
  caller: Joi.string().allow(''),
  gateway: Joi.string().allow(''),
  keying: Joi.string().valid('cpex', 'strict'),
});

/**
 * The id under which the store keeps a session: the `req.security.sessionId` of its requests.
 *
 * @example
 * import { sessionIdFor } from 'express-apl-session/testing';
 * const opened = await openSession({ session: sessionIdFor({ subject: 'alice', sessionId: 's1' }), store });
 *
 * @throws AplSessionError `config.invalid` for an unknown key or a value that is not a string, `session.required` for an empty id,
 * `session.invalid` for text that is not well-formed
 */
export function sessionIdFor(session: TestSession): string {
  const resolved = hasSubject(session) ? resolvedBySubject(session) : toResolvedSession(session);
  if (resolved) return resolved.id;
  throw new AplSessionError(
    'session.required',
    "The session of the test has no id. Pass { subject }, or the id that the app's resolver returns.",
  );
}

/**
 * Stores labels of a session, so that its next request meets them. Pass the store object that the app uses. Requests that are in
 * flight do not see these labels.
 *
 * @example
 * import { seedSession } from 'express-apl-session/testing';
 * await seedSession(store, { subject: 'alice', sessionId: 's1' }, ['secret']);
 *
 * @throws AplSessionError `config.invalid` if `store` is not a store; the errors of {@link sessionIdFor}; `label.invalid` for a label that the middleware would refuse
 */
export async function seedSession(store: SessionStore, session: TestSession, labels: readonly string[]): Promise<void> {
  assertStore('seedSession', store);
  if (!Array.isArray(labels)) {
    throw new AplSessionError('label.invalid', "seedSession: the labels must be an array, for example ['secret'].");
  }
  for (const label of labels) assertLabel(label);
  await store.appendLabels(sessionIdFor(session), labels);
}

/**
 * Enrols a session, as `aplSession.enroll()` does, for apps with `sessions: 'enrolled'`.
 *
 * @example
 * import { enrollSession } from 'express-apl-session/testing';
 * await enrollSession(store, { subject: 'alice', sessionId: 's1' });
 *
 * @throws AplSessionError `config.invalid` if `store` is not a store; the errors of {@link sessionIdFor}
 */
export async function enrollSession(store: SessionStore, session: TestSession): Promise<void> {
  assertStore('enrollSession', store);
  await store.appendLabels(sessionIdFor(session), [ENROLLED]);
}

/**
 * Loads the labels of a session from the store, in sorted order; empty for an unknown session.
 *
 * @example
 * import { sessionLabels } from 'express-apl-session/testing';
 * const labels = await sessionLabels(store, { subject: 'alice', sessionId: 's1' });
 *
 * @throws AplSessionError `config.invalid` if `store` is not a store; the errors of {@link sessionIdFor}
 */
export async function sessionLabels(store: SessionStore, session: TestSession): Promise<string[]> {
  assertStore('sessionLabels', store);
  return readEnrolment([...(await store.loadLabels(sessionIdFor(session)))]).labels.toSorted();
}

function assertStore(what: string, store: unknown): void {
  if (isSessionStore(store)) return;
  throw invalidConfig(
    what,
    `the first argument must be the store object that the app uses, not a block or the middleware; got ${kindOfValue(store)}. The store of a middleware is aplSession.store`,
  );
}

function hasSubject(session: TestSession): session is SubjectOfTest {
  return typeof session === 'object' && session !== null && ('subject' in session || !('id' in session));
}

function resolvedBySubject(session: SubjectOfTest): ResolvedSession | undefined {
  const { subject, sessionId, claim, caller, gateway, keying } = parseOptions(
    'The session of the test',
    schema,
    session,
  );
  const resolve = subjectSession({
    subject: () => subject,
    sessionId: () => sessionId,
    claim: () => claim,
    caller: () => caller,
    gateway: () => gateway,
    ...(keying && { keying }),
  });
  // the accessors above do not read the request, and the result is a promise only if one of them returns a promise
  return toResolvedSession(resolve({} as Request));
}
