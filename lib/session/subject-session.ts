import type { Request } from 'express';
import { AplSessionError } from '../contract/errors.js';
import { isPromiseLike } from '../contract/promise-like.js';
import { h16 } from './digest.js';
import type { ResolvedSession, SessionResolver } from './resolved-session.js';

/** Reads one value from a request; may be async. `undefined`, `null` and `''` mean that there is none. */
export type SessionAccessor = (req: Request) => Answer | PromiseLike<Answer>;
type Answer = string | null | undefined;

export interface SubjectSessionOptions {
  /** The authenticated principal, never a value that the client may choose. Nothing resolves without it. */
  readonly subject: SessionAccessor;

  /** A session id that the client or an upstream chose, for example the `mcp-session-id` header. */
  readonly sessionId: SessionAccessor;
}

/**
 * A resolver that binds a session id chosen by the client to the authenticated subject, with CPEX's keying: the id is
 * the first 16 hex characters of SHA-256 over `subject:sessionId`, the source is `agent`. The same session id
 * under two subjects gives two sessions; without a subject or a session id there is no session.
 *
 * @throws AplSessionError `config.invalid` if an accessor is missing or is no function
 */
export function subjectSession(options: SubjectSessionOptions): SessionResolver {
  const { subject, sessionId, ...unknown } = options ?? {};
  if (typeof subject !== 'function' || typeof sessionId !== 'function' || Object.keys(unknown).length > 0) {
    throw new AplSessionError(
      'config.invalid',
      'subjectSession takes { subject, sessionId }, two functions of the request, and nothing else.',
    );
  }
  return (req) => {
    const who = subject(req);
    if (isPromiseLike(who)) return bindLater(who, () => sessionId(req));
    const what = sessionId(req);
    return isPromiseLike(what) ? bindLater(who, () => what) : bind(who, what);
  };
}

/** One after the other: with both under way, a failure of one would leave a rejection of the other unhandled. */
async function bindLater(
  who: Answer | PromiseLike<Answer>,
  what: () => Answer | PromiseLike<Answer>,
): Promise<ResolvedSession | undefined> {
  return bind(await who, await what());
}

function bind(subject: Answer, sessionId: Answer): ResolvedSession | undefined {
  const who = textOrNone('subject', subject);
  const what = textOrNone('sessionId', sessionId);
  return who && what ? { id: h16(`${who}:${what}`), source: 'agent' } : undefined;
}

function textOrNone(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && value.isWellFormed()) return value;
  throw new AplSessionError('session.invalid', `subjectSession: ${name} must return a well-formed string or nothing.`);
}
