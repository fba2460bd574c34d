import type { Request } from 'express';
import { AplSessionError } from '../contract/errors.js';

/** A request's session: the id that the store uses, and how it was found. */
export interface ResolvedSession {
  readonly id: string;
  /** For logs and metrics; `custom` where a resolver returns a plain string. */
  readonly source: string;
}

/** The answer of a resolver that knows why a request has no session. */
export interface NoSession {
  readonly id?: undefined;
  /** One fixed sentence for the alarm `session_missing`. It must hold nothing that came with the request. */
  readonly reason: string;
}

/** What a resolver may return. `undefined`, `null`, an empty id and a {@link NoSession} mean: this request has no session. */
export type SessionAnswer = string | { readonly id: string; readonly source?: string } | NoSession | null | undefined;

/**
 * Finds the session of a request. A resolver that throws or rejects sends the request to Express's error handling.
 * The id addresses the session's labels, so it must never be a value that the client may choose freely:
 * bind it to the authenticated subject, as `subjectSession` does.
 */
export interface SessionResolver {
  (req: Request): SessionAnswer | PromiseLike<SessionAnswer>;

  /**
   * Asked right after an answer that is no session and has no reason of its own: the reason, as in {@link NoSession}.
   * What it throws goes to Express's error handling.
   */
  explain?(req: Request): string | undefined;
}

/** A request without a session, and why it has none. */
export interface MissingSession {
  readonly id: undefined;
  readonly source: undefined;
  readonly reason: string;
}

/**
 * Checks what a resolver returned.
 * @throws AplSessionError `session.invalid` for anything else than a {@link SessionAnswer}
 */
export function toResolvedSession(answer: unknown): ResolvedSession | undefined {
  if (answer === undefined || answer === null || answer === '') return undefined;
  if (typeof answer === 'string') return { id: wellFormed(answer), source: 'custom' };
  if (typeof answer === 'object') {
    const { id, source = 'custom', reason } = answer as { id?: unknown; source?: unknown; reason?: unknown };
    if (id === '' || (id === undefined && typeof reason === 'string')) return undefined;
    if (typeof id === 'string' && typeof source === 'string') return { id: wellFormed(id), source };
  }
  throw new AplSessionError(
    'session.invalid',
    'The session resolver must return a string, { id, source }, { reason }, undefined or null, or a promise of one.',
  );
}

/** Why an answer is no session: what the answer says, else what the resolver says, else that it says nothing. */
export function toMissingSession(resolver: SessionResolver, req: Request, answer: unknown): MissingSession {
  const own: unknown = (answer as { reason?: unknown } | null | undefined)?.reason;
  const reason: unknown = typeof own === 'string' ? own : resolver.explain?.(req);
  return {
    id: undefined,
    source: undefined,
    reason: typeof reason === 'string' && reason !== '' ? reason : 'the resolver found no session',
  };
}

/** Lone surrogates all hash like U+FFFD, so two such ids would share one session. */
function wellFormed(id: string): string {
  if (id.isWellFormed()) return id;
  throw new AplSessionError('session.invalid', 'The session id is not a well-formed Unicode string.');
}
